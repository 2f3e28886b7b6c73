import { expect } from 'chai'
import { type AskError, Deadlines, PendingAsk } from '../../../actors/runtime/ask.ts'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'

describe('time limits of asks', () => {
  it('of any length are forgotten when they are over', async () => {
    const clock = new SimulatedClock()
    const deadlines = new Deadlines(clock)
    const codes: string[] = []
    for (let limit = 1; limit <= 100; limit++) {
      const failed = (error: AskError) => codes.push(error.code)
      const ask = new PendingAsk('a', () => codes.push('answered'), failed)
      deadlines.add(ask, limit)
      if (limit % 2 === 0) ask.answer(limit)
    }
    expect(deadlines.size).to.equal(100)
    clock.advance(1_000)
    expect(deadlines.size).to.equal(0)
    expect(codes.filter((code) => code === 'answered')).to.have.length(50)
    expect(codes.filter((code) => code === 'TIMEOUT')).to.have.length(50)
  })

  it('are kept while an ask of theirs waits', () => {
    const clock = new SimulatedClock()
    const deadlines = new Deadlines(clock)
    let failed = 0
    const wait = () =>
      deadlines.add(
        new PendingAsk(
          'a',
          () => undefined,
          () => failed++,
        ),
        100,
      )
    wait()
    clock.advance(60)
    wait()
    clock.advance(60)
    expect([failed, deadlines.size]).to.deep.equal([1, 1])
    clock.advance(60)
    expect([failed, deadlines.size]).to.deep.equal([2, 0])
  })
})
