import { expect } from 'chai'
import { COSTLY_FOR, Costly } from '../../../actors/compiler/costly.ts'

describe('the list of too costly subjects', () => {
  it('has 1,000 places: a new subject replaces the oldest, and a known subject replaces none', () => {
    const costly = new Costly()
    for (let i = 0; i < 1_000; i++) costly.add(['ns', i], i)
    for (let i = 0; i < 100; i++) costly.add(['ns', 0], 1_000)
    for (const i of [0, 1, 999]) expect(costly.has(['ns', i], 1_000), String(i)).to.equal(true)
    for (let i = 1_000; i < 1_500; i++) costly.add(['ns', i], i)
    const kept = Array.from({ length: 1_500 }, (_, i) => i).filter((i) => costly.has(['ns', i], 1_500))
    expect(kept).to.have.length(1_000)
    expect([kept.includes(0), kept.includes(1), kept.includes(1_499)]).to.deep.equal([true, false, true])
    expect(kept.some((i) => costly.has(['ns', i], 1_500 + COSTLY_FOR))).to.equal(false)
  })
})
