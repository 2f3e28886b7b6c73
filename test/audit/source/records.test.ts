import { expect } from 'chai'
import fc from 'fast-check'
import { largestRecord } from '../../../src/audit/decode/bpf-header.ts'
import { header } from '../../../src/audit/decode/bpf-record.ts'
import { RecordSource, wholeRecords } from '../../../src/audit/source/records.ts'
import { rest } from './notices.ts'

/** Records of these sizes; only their length field matters here. */
function records(...sizes: number[]): Uint8Array {
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const size of sizes) {
    view.setUint32(at, size, true)
    at += size
  }
  return bytes
}

function withSize(size: number): Uint8Array {
  const bytes = records(header.size)
  new DataView(bytes.buffer).setUint32(0, size, true)
  return bytes
}

describe('records from a ring buffer', () => {
  it('come as they were pushed, in order', async () => {
    const source = new RecordSource({ now: () => 7_500 })
    const [first, second] = [records(100, 120), records(90)]
    expect(source.push(first)).to.equal(true)
    expect(source.push(second)).to.equal(true)
    expect(source.stats().waiting).to.equal(310)
    expect(await rest(source)).to.deep.equal([
      { source: 'bpf', seq: 0, format: 'record', bytes: first, readAt: 7 },
      { source: 'bpf', seq: 1, format: 'record', bytes: second, readAt: 7 },
    ])
    expect(source.stats()).to.deep.include({ received: 3, batches: 2, waiting: 0 })
  })

  it('wake a reader that waits', async () => {
    const source = new RecordSource()
    const next = source[Symbol.asyncIterator]().next()
    source.push(records(100))
    expect((await next).value?.bytes.length).to.equal(100)
    source.close()
  })

  it('that do not fit are dropped and counted, by record', async () => {
    const source = new RecordSource({ maximalBytes: 250 })
    expect(source.push(records(100, 100))).to.equal(true)
    expect(source.push(records(80, 80))).to.equal(false)
    source.lost(5)
    const batches = await rest(source)
    expect(batches).to.have.length(1)
    expect(source.push(records(100))).to.equal(false)
    expect(source.stats().dropped).to.deep.equal({ ringFull: 5, queueFull: 2, malformed: 0, late: 1, discarded: 0 })
    expect(source.stats().received).to.equal(5)
  })

  it('that nobody read when it was closed are counted', () => {
    const source = new RecordSource()
    source.push(records(100, 100, 100))
    source.close()
    source.close()
    expect(source.stats().dropped.discarded).to.equal(3)
    expect(source.stats().waiting).to.equal(0)
  })

  const broken: [string, Uint8Array][] = [
    ['shorter than a header', withSize(header.size - 1)],
    ['of no length', withSize(0)],
    ['longer than the buffer', withSize(header.size + 1)],
    ['longer than any', Buffer.concat([withSize(largestRecord() + 1), Buffer.alloc(largestRecord())])],
    ['whose length is cut', Uint8Array.of(1, 2, 3)],
  ]
  for (const [what, bad] of broken)
    it(`${what}: what is before it is taken, the rest counted`, async () => {
      const source = new RecordSource()
      const bytes = new Uint8Array([...records(100), ...bad])
      expect(source.push(bytes)).to.equal(false)
      expect(source.stats()).to.include({ received: 1, malformedBytes: bad.length })
      expect(source.stats().dropped.malformed).to.equal(1)
      expect((await rest(source)).map((batch) => batch.bytes.length)).to.deep.equal([100])
    })

  it('are taken at the greatest length, and an empty buffer is nothing', async () => {
    const source = new RecordSource()
    expect(source.push(records(largestRecord()))).to.equal(true)
    expect(source.push(new Uint8Array())).to.equal(true)
    expect(await rest(source)).to.have.length(1)
  })

  it('are found whatever the bytes are: never beyond the end', () => {
    const some = fc.array(fc.integer({ min: header.size, max: 400 }), { maxLength: 5 })
    fc.assert(
      fc.property(some, fc.uint8Array({ maxLength: 200 }), (sizes, junk) => {
        const bytes = new Uint8Array([...records(...sizes), ...junk])
        const { end, records: count } = wholeRecords(bytes)
        expect(end).to.be.at.most(bytes.length)
        expect(count).to.be.at.least(sizes.length)
      }),
    )
  })

  it('have one reader', async () => {
    const source = new RecordSource()
    await rest(source)
    const error = await source[Symbol.asyncIterator]()
      .next()
      .catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(Error)
  })
})
