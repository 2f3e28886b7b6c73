import { expect } from 'chai'
import fc from 'fast-check'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { header } from '../../../src/audit/decode/bpf-record.ts'
import { splitBatch } from '../../../src/audit/pool/split-batch.ts'
import { recordsOf } from '../../../src/audit/sink/agent-events.ts'
import { bytesOf } from '../harness.ts'

describe('a batch in pieces', () => {
  const bpf = (size: number) => {
    const bytes = new Uint8Array(size)
    new DataView(bytes.buffer).setUint32(header.at.size, size, true)
    return Buffer.from(bytes).toString('latin1')
  }
  const record: Record<BatchFormat, fc.Arbitrary<string>> = {
    auditlog: fc.constantFrom('a\n', 'bb\n', '\n'),
    netlink: fc.constantFrom('type=1 a\n', '\n'),
    kmsg: fc.constantFrom('5,1,1,-;a\n', '5,1,1,-;b\n SUB=x\n DEV=y\n', '\n'),
    record: fc.constantFrom(bpf(header.size), bpf(header.size + 7)),
  }
  for (const [format, one] of Object.entries(record) as [BatchFormat, fc.Arbitrary<string>][])
    it(`has the same records, format ${format}, none of them cut`, () => {
      const text = fc.tuple(fc.array(one, { minLength: 1, maxLength: 40 }), fc.constantFrom('', 'rest'))
      fc.assert(
        fc.property(text, fc.integer({ min: 1, max: 20 }), ([records, rest], count) => {
          const whole = Buffer.from(records.join('') + rest, 'latin1')
          // The bytes lie in the middle of a larger buffer, like batches of sources.
          const bytes = new Uint8Array(whole.length + 8).fill(0x0a)
          bytes.set(whole, 3)
          const batch = { source: 's', seq: 4, format, bytes: bytes.subarray(3, 3 + whole.length), readAt: 9 }
          const parts = splitBatch(batch, count)
          expect(Buffer.concat(parts.map((part) => part.bytes)).equals(whole)).to.equal(true)
          const all = (of: Uint8Array) =>
            [...recordsOf(of, format)].map((found) => Buffer.from(found).toString('latin1'))
          expect(parts.flatMap((part) => all(part.bytes))).to.deep.equal(all(batch.bytes))
          expect(parts.length).to.be.within(1, count)
          for (const part of parts) expect(part).to.include({ source: 's', seq: 4, format, readAt: 9 })
        }),
      )
    })

  it('is not cut when it is one record, or none', () => {
    for (const text of ['one\n', ''])
      expect(splitBatch({ source: '', seq: 0, format: 'auditlog', bytes: bytesOf(text) }, 16).length).to.be.below(2)
  })
})
