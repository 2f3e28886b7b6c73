import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import fc from 'fast-check'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { streamBatches } from '../../../src/audit/batch/stream-batches.ts'
import { header } from '../../../src/audit/decode/bpf-record.ts'
import { recordsOf, undecodedLines } from '../../../src/audit/sink/agent-events.ts'
import { linesOf, run } from '../harness.ts'

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const line = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\u00e9', '\0'), maxLength: 30 })
const lines = fc.array(line, { maxLength: 40 }).map((all) => Buffer.from(all.map((text) => `${text}\n`).join('')))
const kmsg = fc
  .array(fc.tuple(line, fc.array(line, { maxLength: 3 })), { maxLength: 20 })
  .map((all) =>
    Buffer.from(all.map(([first, more]) => `6,1,2;${first}\n${more.map((text) => ` ${text}\n`).join('')}`).join('')),
  )
const records = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }).map((all) =>
  Buffer.concat(
    all.map((body) => {
      const record = Buffer.alloc(header.size + body.length)
      record.writeUInt32LE(record.length)
      record.set(body, header.size)
      return record
    }),
  ),
)

describe('batches of a stream', () => {
  const formats: [BatchFormat, fc.Arbitrary<Buffer>][] = [
    ['auditlog', lines],
    ['kmsg', kmsg],
    ['record', records],
  ]
  for (const [format, contents] of formats)
    it(`hold every record of ${format} whole and once, wherever the stream is cut`, async () => {
      await fc.assert(
        fc.asyncProperty(
          contents,
          fc.integer({ min: 1, max: 200 }),
          fc.integer({ min: 1, max: 300 }),
          async (bytes, piece, size) => {
            const found: string[] = []
            const hex = (record: Uint8Array) => Buffer.from(record).toString('hex')
            for await (const batch of streamBatches(pieces(bytes, piece), { source: 's', format, size })) {
              expect(batch.bytes.byteLength).to.equal(batch.bytes.buffer.byteLength)
              found.push(...Array.from(recordsOf(batch.bytes, format), hex))
            }
            expect(found).to.deep.equal(Array.from(recordsOf(bytes, format), hex))
          },
        ),
      )
    })

  it('are cut somewhere when no line ends', async () => {
    const sizes: number[] = []
    const options = { source: 's', format: 'auditlog', size: 100, max: 1000 } as const
    for await (const { bytes } of streamBatches(pieces(Buffer.alloc(2500, 'a'), 64), options)) sizes.push(bytes.length)
    expect(Math.max(...sizes)).to.be.at.most(1100)
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.equal(2500)
  })
})

describe('records that are written as they are', () => {
  const writer = { nodeName: 'n', metadata: { a: 'b' } }

  it('are counted as the decoder counts them, and each is a line of JSON with the keys of a violation', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<BatchFormat>('auditlog', 'kmsg', 'netlink', 'record'),
        fc.uint8Array({ maxLength: 400 }),
        (format, bytes) => {
          const { bytes: output, lines: count } = undecodedLines({ bytes, format }, writer, 1_740_000_000)
          expect(count).to.equal(run(format, Uint8Array.from(bytes)).read)
          const all = linesOf(output)
          expect(all).to.have.length(count)
          for (const text of all) expect(JSON.parse(text)).to.have.property('undecoded').that.is.a('string')
        },
      ),
    )
  })

  it('look as those that the decoder could not understand', () => {
    const text = 'type=AVC msg=audit(odd): apparmor="DENIED" profile="varmor-demo-demo-1" name="\u00e9\\"\n'
    const bytes = Uint8Array.from(Buffer.from(text))
    const [ours] = linesOf(
      undecodedLines({ bytes, format: 'auditlog' }, { nodeName: '192.168.0.8', metadata: { cluster: 'c-1' } }, 0).bytes,
    )
    const [decoders] = linesOf(run('auditlog', bytes).output)
    expect(JSON.parse(ours!)).to.deep.equal(JSON.parse(decoders!))
    expect(Object.keys(JSON.parse(ours!))).to.deep.equal(Object.keys(JSON.parse(decoders!)))
  })
})
