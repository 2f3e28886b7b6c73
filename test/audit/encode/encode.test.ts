import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import fc from 'fast-check'
import { RecordFields } from '../../../src/audit/decode/record-fields.ts'
import { ByteMap, hashRange } from '../../../src/audit/encode/byte-map.ts'
import { asciiJson, putHex, putText } from '../../../src/audit/encode/json-text.ts'
import { fragment, Output, putFragment, putNumber, putRange } from '../../../src/audit/encode/output.ts'
import { nameOfCall, seccompAction } from '../../../src/audit/encode/seccomp-event.ts'
import { putBytes, Values } from '../../../src/audit/encode/values.ts'
import { bytesOf } from '../harness.ts'

const textOf = (output: Output): string => Buffer.from(output.take()).toString('utf8')

function put(write: (output: Output) => void): string {
  const output = new Output(4096)
  write(output)
  return textOf(output)
}

describe('output bytes', () => {
  it('hold what was put, one behind the other, whatever the lengths', () => {
    const ascii = fc.string({ maxLength: 300 }).map((text) => text.replace(/[^\x20-\x7e]/g, '.'))
    fc.assert(
      fc.property(fc.array(ascii, { maxLength: 8 }), (texts) => {
        const whole = put((output) => {
          for (const text of texts) {
            putFragment(output, fragment(text))
            const bytes = bytesOf(text)
            putRange(output, bytes, new DataView(bytes.buffer), 0, bytes.length)
          }
        })
        expect(whole).to.equal(texts.map((text) => text + text).join(''))
      }),
    )
  })

  it('hold any bytes of a range', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, from) => {
        const start = Math.min(from, bytes.length)
        const output = new Output(64)
        putRange(output, bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), start, bytes.length)
        expect(Buffer.from(output.take())).to.deep.equal(Buffer.from(bytes.subarray(start)))
      }),
    )
  })

  it('grow without losing what was put', () => {
    const output = new Output(1)
    const long = fragment('x'.repeat(100))
    for (let i = 0; i < 100; i++) {
      output.room(long.length)
      putFragment(output, long)
    }
    expect(textOf(output)).to.equal('x'.repeat(10_000))
  })

  it('hold numbers as JSON has them', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (number) => {
        expect(put((output) => putNumber(output, number))).to.equal(String(number))
      }),
    )
    for (const number of [0, 9, 10, 0x7fff_ffff, 0x8000_0000, 4_294_967_295])
      expect(put((output) => putNumber(output, number))).to.equal(String(number))
  })

  it('take no fragment that is not ASCII: words of it could be changed on the way', () => {
    expect(() => fragment('é')).to.throw('not ASCII')
  })
})

describe('JSON texts', () => {
  it('of values are ASCII, mean the same, and have no half characters', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = asciiJson(value)
        expect(Buffer.byteLength(text)).to.equal(text.length)
        expect(JSON.parse(text)).to.deep.equal(JSON.parse(JSON.stringify(value)))
      }),
    )
    expect(asciiJson({ '\ud800': ['a\udfff', '\\ud800', '\u{1f600}', '\u007f'] })).to.equal(
      '{"\\ufffd":["a\\ufffd","\\\\ud800","\\ud83d\\ude00","\\u007f"]}',
    )
  })

  it('of bytes are their UTF-8, with U+FFFD for each byte that is none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        let broken = false
        const text = put((output) => {
          broken = putText(output, bytes, 0, bytes.length)
        })
        const back = Buffer.from(JSON.parse(text) as string)
        expect(broken).to.equal(!Buffer.from(Buffer.from(bytes).toString('utf8')).equals(bytes))
        if (!broken) expect(back.equals(bytes)).to.equal(true)
      }),
    )
    const rows: [bytes: number[], text: string][] = [
      [[0x00, 0x08, 0x0a, 0x1b, 0x22, 0x5c, 0x7f], '"\\u0000\\b\\n\\u001b\\"\\\\\\u007f"'],
      [[0xc2, 0x9b, 0xc2, 0xa0], '"\\u009b\u00a0"'],
      [[0xc0, 0x80], '"\\ufffd\\ufffd"'],
      [[0xed, 0xa0, 0x80], '"\\ufffd\\ufffd\\ufffd"'],
      [[0xf4, 0x90, 0x80, 0x80], '"\\ufffd\\ufffd\\ufffd\\ufffd"'],
      [[0xf0, 0x9f, 0x98, 0x80], '"\u{1f600}"'],
      [[0xe2, 0x82], '"\\ufffd\\ufffd"'],
    ]
    for (const [bytes, text] of rows)
      expect(put((output) => putText(output, Uint8Array.from(bytes), 0, bytes.length))).to.equal(text)
  })

  it('of a value are the same whichever byte it has, wherever that stands', () => {
    for (let byte = 0; byte < 256; byte++)
      for (let at = 0; at < 11; at++) {
        const bytes = bytesOf('plain bytes').fill(byte, at, at + 1)
        const view = new DataView(bytes.buffer)
        const given = put((output) => {
          putBytes(new Values(output, bytes, view, false, new RecordFields(0)), 0, bytes.length, 'name')
        })
        expect(given).to.equal(put((output) => putText(output, bytes, 0, bytes.length)))
      }
  })

  it('of bytes in hex are as the kernel writes them', () => {
    expect(put((output) => putHex(output, Uint8Array.of(0x00, 0xaf, 0x9c), 0, 3))).to.equal('"00AF9C"')
  })
})

describe('a map of bytes', () => {
  it('holds a bounded number of bytes, too', () => {
    const map = new ByteMap<number>()
    for (let i = 0; i < 1000; i++) {
      const bytes = Uint8Array.from({ length: 8192 }, (_, at) => (at * 7 + i) & 255)
      map.set(bytes, 0, bytes.length, i, i)
      expect(map.size * bytes.length).to.be.at.most(1_048_576)
      expect(map.get(bytes, 0, bytes.length, i)).to.equal(i)
    }
  })

  it('distinguishes keys and never grows beyond its bound', () => {
    const map = new ByteMap<number>()
    for (let number = 0; number < 10_000; number++) {
      const bytes = bytesOf(`profile-${number}`)
      const hash = hashRange(new DataView(bytes.buffer), 0, bytes.length)
      map.set(bytes, 0, bytes.length, hash, number)
      expect(map.get(bytes, 0, bytes.length, hash)).to.equal(number)
      expect(map.get(bytes, 0, bytes.length - 1, hash)).to.equal(undefined)
    }
    expect(map.size).to.be.at.most(4096)
  })
})

describe('a seccomp record', () => {
  const rows: [code: number, signal: number, action: string][] = [
    [0x7ffc_0000, 0, 'AUDIT|ALLOWED'],
    [0x0005_0001, 0, 'DENIED'],
    [0x8000_0000, 31, 'DENIED'],
    [0x0000_0000, 31, 'DENIED'],
    [0x0003_0000, 31, 'DENIED'],
    [0x7fc0_0000, 0, 'AUDIT'],
    [0x7ff0_0000, 0, 'AUDIT'],
    [Number.NaN, 0, 'AUDIT|ALLOWED'],
    [Number.NaN, 31, 'DENIED'],
  ]
  for (const [code, signal, action] of rows)
    it(`with code ${code.toString(16)} and signal ${signal} is ${action}`, () => {
      expect(seccompAction(code, signal)).to.equal(action)
    })

  it('names a call by its architecture', () => {
    const names = [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x4000_0028, 0xc000_00f3].map((arch) => nameOfCall(arch, 53))
    expect(names).to.deep.equal(['socketpair', 'lock', 'fchmodat', 'unknown(53)', 'fchmodat'])
    expect(nameOfCall(0xc000_003e, 0x4000_0000 + 90)).to.equal('chmod')
    expect(nameOfCall(0x1234, 1)).to.equal('unknown(1)')
  })
})
