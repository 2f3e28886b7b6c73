import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import fc from 'fast-check'
import { LineQueue, type OfferResult } from '../../../src/audit/sink/line-queue.ts'

const offerOf = (first: number, widths: readonly number[], fates: OfferResult[]) => {
  const bytes = Buffer.from(widths.map((width, i) => `${first + i}:${'x'.repeat(width)}\n`).join(''))
  return { bytes, lines: widths.length, lossy: false, settle: (fate: OfferResult) => void fates.push(fate) }
}

describe('the line queue', () => {
  it('gives every line once, in order, in pieces of whole lines, however much of each lands', () => {
    const width = fc.oneof(fc.nat(200), fc.nat(200), fc.integer({ min: 60_000, max: 600_000 }))
    const offers = fc.array(fc.array(width, { minLength: 1, maxLength: 8 }), { maxLength: 12 })
    fc.assert(
      fc.property(
        offers,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 9 }),
        fc.array(fc.nat(700_000), { minLength: 1, maxLength: 9 }),
        (all, parts, rooms) => {
          const queue = new LineQueue()
          const fates: OfferResult[] = []
          let [lines, text, turn] = [0, '', 0]
          for (const widths of all) {
            queue.push(offerOf(lines, widths, fates))
            lines += widths.length
          }
          const given = all.flat().length
          const next = () => queue.next(rooms[turn % rooms.length]!)
          for (let piece = next(); piece !== undefined; piece = next()) {
            const bytes = Buffer.from(piece)
            expect(bytes.at(-1)).to.equal(0x0a)
            const some = bytes.subarray(0, Math.ceil(bytes.length * parts[turn++ % parts.length]!))
            const written = turn % 5 === 0 ? bytes.length : some.lastIndexOf('\n') + 1
            text += bytes.toString('latin1', 0, written)
            queue.confirm(written)
          }
          expect(
            text
              .split('\n')
              .slice(0, -1)
              .map((line) => Number(line.split(':')[0])),
          ).to.deep.equal(Array.from({ length: given }, (_, i) => i))
          expect(fates).to.deep.equal(all.map((widths) => ({ written: widths.length, dropped: 0 })))
          expect([queue.bytes, queue.lines]).to.deep.equal([0, 0])
        },
      ),
      { numRuns: 60 },
    )
  })

  it('gathers small pieces and cuts large ones', () => {
    const queue = new LineQueue()
    for (let i = 0; i < 100; i++) queue.push(offerOf(i, [10], []))
    expect(queue.next(1_000_000)?.length).to.equal(queue.bytes)
    queue.confirm(queue.bytes)
    queue.push(
      offerOf(
        0,
        Array.from({ length: 1000 }, () => 1000),
        [],
      ),
    )
    expect(queue.next(524_288)?.length).to.be.within(517_000, 524_288)
    expect(queue.next(0)?.length).to.be.within(60_000, 65_536)
    expect(queue.next(2_000_000)?.length).to.equal(queue.bytes)
  })

  it('knows how many lines of an offer are written when it gives up', () => {
    const queue = new LineQueue()
    const offer = offerOf(0, [3, 3, 3], [])
    queue.push(offer)
    queue.confirm(offer.bytes.indexOf('\n') + 1)
    expect(queue.takeAll().map(({ lines, writtenLines }) => ({ lines, writtenLines }))).to.deep.equal([
      { lines: 3, writtenLines: 1 },
    ])
    expect(queue.next(1)).to.equal(undefined)
  })
})
