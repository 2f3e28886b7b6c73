import { expect } from 'chai'
import fc from 'fast-check'
import { Behaviour, fromDynamicResult, joinPieces, type Piece, piecesOf } from '../../../src/model/behaviour.ts'
import { arbitraryFact } from './arbitrary-facts.ts'

function recordedOf(files: number) {
  const behaviour = new Behaviour()
  for (let i = 0; i < files; i++) behaviour.addFile('bpf', { path: `/srv/${i % 50}/${i}`, permissions: ['read'] })
  for (let i = 0; i < 2000; i++) behaviour.addExecution('appArmor', `/bin/${i}`)
  behaviour.addSyscall('read')
  return behaviour.toRecorded()
}

describe('pieces of a model', () => {
  it('are below the size that was asked for, and are the whole when put together in any order', () => {
    const recorded = recordedOf(3000)
    for (const size of [16 * 1024, 64 * 1024, 10 * 1024 * 1024]) {
      const pieces = piecesOf(recorded, size)
      for (const piece of pieces) expect(Buffer.byteLength(JSON.stringify(piece))).to.be.at.most(size)
      const arrived: Piece[] = JSON.parse(JSON.stringify([...pieces.toReversed(), pieces[0]]))
      expect(joinPieces(arrived)).to.deep.equal({ ok: true, recorded })
    }
  })

  it('can be merged one by one, each as often as it comes', () => {
    fc.assert(
      fc.property(fc.array(arbitraryFact, { maxLength: 30 }), (facts) => {
        const behaviour = new Behaviour()
        for (const add of facts) add(behaviour)
        const recorded = behaviour.toRecorded()
        const merged = new Behaviour()
        for (const { result, leftOut } of [...piecesOf(recorded, 4096), ...piecesOf(recorded, 8192)].reverse()) {
          merged.merge(fromDynamicResult(result, leftOut))
        }
        expect(JSON.stringify(merged.toRecorded())).to.equal(JSON.stringify(recorded))
      }),
    )
  })

  it('of nothing are one empty piece', () => {
    expect(piecesOf({ result: {}, leftOut: [] }, 4096)).to.deep.equal([{ index: 0, count: 1, result: {}, leftOut: [] }])
  })

  it('that are missing are named', () => {
    const pieces = piecesOf(recordedOf(3000), 16 * 1024)
    expect(joinPieces(pieces.filter(({ index }) => index !== 1 && index !== 3))).to.deep.equal({
      ok: false,
      missing: [1, 3],
    })
  })

  it('cannot be smaller than one entry', () => {
    const behaviour = new Behaviour()
    behaviour.addExecution('bpf', `/${'x'.repeat(4000)}`)
    expect(() => piecesOf(behaviour.toRecorded(), 2048)).to.throw(RangeError, /send larger pieces/)
  })
})
