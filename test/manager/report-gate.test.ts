import { expect } from 'chai'
import fc from 'fast-check'
import { ReportGate, type ReportGateOptions } from '../../src/manager/http/report-gate.ts'
import { ManualClock } from '../kube/harness.ts'

describe('the gate for reports', () => {
  const isHere = () => false

  function setUp(options: Partial<ReportGateOptions> = {}) {
    const clock = new ManualClock()
    const state = { behind: false }
    const gate = new ReportGate({ clock, isBehind: () => state.behind, ...options })
    const entered: string[] = []
    const refused: string[] = []
    const come = (caller: string, isGone = isHere): Promise<void> =>
      gate.enter(caller, isGone).then((is) => void (is ? entered : refused).push(caller))
    return { clock, state, gate, entered, refused, come }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  it('lets in so many at a time, in their order', async () => {
    const { gate, entered, come } = setUp({ atOnce: 2 })
    for (const caller of ['a', 'b', 'c', 'd']) void come(caller)
    await settled()
    expect(entered).to.deep.equal(['a', 'b'])
    expect(gate.depth).to.deep.equal({ inside: 2, waiting: 2 })
    gate.leave('b')
    await settled()
    expect(entered).to.deep.equal(['a', 'b', 'c'])
  })

  it('admits no report while the work of earlier reports is not done', async () => {
    const { clock, state, gate, entered, come } = setUp()
    state.behind = true
    void come('a')
    void come('b')
    await clock.advance(1_000)
    expect(entered).to.deep.equal([])
    state.behind = false
    await clock.advance(1)
    await settled()
    expect(entered).to.deep.equal(['a', 'b'])
    for (const caller of entered) gate.leave(caller)
    expect(gate.depth).to.deep.equal({ inside: 0, waiting: 0 })
  })

  it('refuses who comes when too many wait, and what one caller has too much', async () => {
    const { entered, refused, come } = setUp({ atOnce: 1, waiting: 2, perCaller: 2 })
    for (const caller of ['a', 'a', 'a', 'b', 'c']) void come(caller)
    await settled()
    expect(entered).to.deep.equal(['a'])
    expect(refused).to.deep.equal(['a', 'c'])
  })

  it('passes over those who have left', async () => {
    const { gate, entered, refused, come } = setUp({ atOnce: 1 })
    void come('a')
    void come('b', () => true)
    void come('c')
    gate.leave('a')
    await settled()
    expect(entered).to.deep.equal(['a', 'c'])
    expect(refused).to.deep.equal(['b'])
    expect(gate.depth).to.deep.equal({ inside: 1, waiting: 0 })
  })

  it('gives every place back, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ caller: fc.constantFrom('a', 'b', 'c', 'd'), gone: fc.boolean(), behind: fc.boolean() })),
        async (steps) => {
          const { clock, state, gate, entered, refused, come } = setUp({ atOnce: 2, waiting: 3 })
          let left = 0
          for (const { caller, gone, behind } of steps) {
            state.behind = behind
            void come(caller, () => gone)
            await settled()
            expect(gate.depth.inside).to.be.at.most(2)
            if (left < entered.length) gate.leave(entered[left++]!)
          }
          state.behind = false
          do {
            await clock.advance(1)
            await settled()
            while (left < entered.length) gate.leave(entered[left++]!)
          } while (gate.depth.waiting > 0)
          await settled()
          while (left < entered.length) gate.leave(entered[left++]!)
          expect(entered.length + refused.length).to.equal(steps.length)
          expect(gate.depth).to.deep.equal({ inside: 0, waiting: 0 })
        },
      ),
    )
  })
})
