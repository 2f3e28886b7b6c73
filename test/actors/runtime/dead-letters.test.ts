import { expect } from 'chai'
import { Counters } from '../../../actors/runtime/counters.ts'
import { DeadLetters, deadLetterReasons, noDeadLetters } from '../../../actors/runtime/dead-letters.ts'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import { noLogger } from '../../../src/base/logger.ts'

function logged() {
  const clock = new SimulatedClock()
  const lines: object[] = []
  const letters = new DeadLetters(clock, { ...noLogger, warn: (fields) => lines.push(fields) })
  const counters = new Counters()
  const add = (count: number): void => {
    for (let i = 0; i < count; i++) letters.add('stopped', 'a', { type: 'secret', password: 'x' }, counters)
  }
  return { clock, lines, counters, add }
}

describe('dead letters', () => {
  it('are all counted, and logged at a limited rate that says what it left out', () => {
    const { clock, lines, counters, add } = logged()
    add(1_000)
    expect(counters.deadLetters.stopped).to.equal(1_000)
    expect(lines).to.have.length(10)
    clock.advance(10_000)
    add(1)
    expect(lines).to.have.length(11)
    expect(lines[10]).to.include({ suppressed: 990 })
  })

  it('are logged without their contents', () => {
    const { lines, add } = logged()
    add(1)
    expect(lines).to.deep.equal([{ reason: 'stopped', actor: 'a', type: 'secret' }])
  })

  it('have a count for each reason', () => {
    expect(Object.keys(noDeadLetters())).to.have.members([...deadLetterReasons])
  })
})
