import { expect } from 'chai'
import fc from 'fast-check'
import { StatusWriteSemaphore, TIMEOUT } from '../../../actors/policy/status-write-semaphore.ts'

describe('the semaphore of status writes', () => {
  it('admits a fixed number of writers, and calls the others in the order of their requests', () => {
    const called: string[] = []
    const turns = new StatusWriteSemaphore(2, (who) => void called.push(who))
    expect(['a', 'b', 'c', 'd', 'c'].map((who) => turns.take(who, 0))).to.deep.equal([true, true, false, false, false])
    turns.end()
    expect(called).to.deep.equal(['c'])
    expect(['e', 'd', 'c'].map((who) => turns.take(who, 0))).to.deep.equal([false, false, true])
    turns.end()
    turns.end()
    expect(called).to.deep.equal(['c', 'd', 'e'])
  })

  it('calls the next writer when a called writer leaves', () => {
    const called: string[] = []
    const turns = new StatusWriteSemaphore(1, (who) => void called.push(who))
    for (const who of ['a', 'b', 'c', 'd']) turns.take(who, 0)
    turns.leave('c')
    turns.end()
    turns.leave('b')
    expect(called).to.deep.equal(['b', 'd'])
    expect(turns.take('d', 0)).to.equal(true)
  })

  it('takes a turn from a called writer that does not come within the timeout', () => {
    const turns = new StatusWriteSemaphore(1, () => undefined)
    for (const who of ['a', 'deaf', 'b']) turns.take(who, 0)
    turns.end()
    expect(turns.take('b', TIMEOUT - 1)).to.equal(false)
    expect(turns.take('b', TIMEOUT)).to.equal(true)
    expect(turns.take('deaf', TIMEOUT)).to.equal(false)
    turns.end()
    expect(turns.take('deaf', TIMEOUT)).to.equal(true)
  })

  it('never admits too many writers and forgets no writer, whatever they do', () => {
    const actions = fc.array(fc.tuple(fc.constantFrom('take', 'end', 'leave'), fc.nat(7)), { maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), actions, (atOnce, all) => {
        const calls: string[] = []
        const turns = new StatusWriteSemaphore(atOnce, (who) => void calls.push(who))
        const writers = new Set<string>()
        const waiting = new Set<string>()
        const take = (who: string, now: number): void => {
          if (writers.has(who)) return
          if (turns.take(who, now)) {
            writers.add(who)
            waiting.delete(who)
          } else waiting.add(who)
          expect(writers.size).to.be.at.most(atOnce)
        }
        const end = (who: string): void => {
          if (writers.delete(who)) turns.end()
        }
        for (const [what, number] of all) {
          const who = `${number}`
          if (what === 'take') take(who, 0)
          else if (what === 'end') end(who)
          else if (!writers.has(who)) {
            turns.leave(who)
            waiting.delete(who)
          }
        }
        // From here on, each writer does its task when it is called.
        for (const who of [...writers]) end(who)
        for (let i = 0; i < 100 && calls.length > 0; i++) {
          const who = calls.shift()!
          if (!waiting.has(who)) {
            turns.leave(who)
            continue
          }
          take(who, 0)
          end(who)
        }
        expect([...waiting]).to.deep.equal([])
      }),
      { numRuns: 2_000 },
    )
  })
})
