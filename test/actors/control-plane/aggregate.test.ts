import { expect } from 'chai'
import fc from 'fast-check'
import { Acknowledgements } from '../../../actors/policy/acknowledgements.ts'
import { MAX_NODES, profileStatus } from '../../../actors/policy/profile-status.ts'
import { type ReportState, reportStates } from '../../../src/api/agent-report.ts'
import { asWall } from '../../../src/base/clock.ts'

const node = fc.nat(4).map((i) => `n${i}`)
const uid = fc.constantFrom('u1', 'u2')
const generation = fc.integer({ min: 1, max: 2 })
const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), node, schedulable: fc.boolean(), desired: fc.boolean() }),
  fc.record({ do: fc.constant('remove' as const), node }),
  fc.record({ do: fc.constant('boot' as const), node }),
  fc.record({ do: fc.constant('want' as const), uid, generation }),
  fc.record({ do: fc.constant('absent' as const), node }),
  fc.record({ do: fc.constant('reported' as const), node, complete: fc.boolean() }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      node,
      uid,
      generation,
      state: fc.constantFrom(...reportStates),
      leftOut: fc.constantFrom('', 'BPF: a', 'AppArmor: b\nBPF: a'),
    }),
  },
)

describe('what nodes said of a profile', () => {
  it('adds up as a count over all nodes does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const acknowledgements = new Acknowledgements(0)
        const { nodes } = acknowledgements
        const aggregate = acknowledgements.of('demo/p', () => undefined)
        const facts = new Map<string, { schedulable: boolean }>()
        const said = new Map<string, { uid: string; generation: number; state: ReportState; leftOut: string }>()
        const known = new Set<string>()
        let wanted = { uid: '', generation: 0 }
        for (const one of steps)
          switch (one.do) {
            case 'set':
              nodes.set(one.node, one.desired ? { schedulable: one.schedulable } : undefined, 0)
              if (one.desired) facts.set(one.node, { schedulable: one.schedulable })
              else facts.delete(one.node)
              break
            case 'remove':
              nodes.remove(one.node)
              for (const each of [facts, said, known]) each.delete(one.node)
              break
            case 'boot':
              nodes.restarted(one.node)
              for (const each of [said, known]) each.delete(one.node)
              break
            case 'want':
              wanted = one
              aggregate.want(one.uid, one.generation)
              break
            case 'absent':
              acknowledgements.absent('demo/p', one.node, 0)
              said.delete(one.node)
              break
            case 'reported':
              nodes.reported(nodes.indexOf(one.node, 0), 0, one.complete)
              if (one.complete) known.add(one.node)
              break
            case 'report':
              acknowledgements.report('demo/p', one.node, { ...one, message: 'm' }, 0)
              said.set(one.node, one)
          }
        const is = (name: string, state: ReportState) => {
          const one = said.get(name)
          return one?.state === state && one.uid === wanted.uid && one.generation === wanted.generation
        }
        const all = [...facts.keys()].sort()
        expect(aggregate.summary).to.deep.equal({
          desired: all.length,
          loaded: all.filter((name) => is(name, 'loaded')).length,
          failed: all.filter((name) => is(name, 'failed')).length,
          blocking: all.filter((name) => !is(name, 'loaded') && facts.get(name)?.schedulable).length,
        })
        expect(aggregate.failures(9).map((failure) => failure.node)).to.deep.equal(
          all.filter((name) => is(name, 'failed')),
        )
        const leaving = all.filter((name) => is(name, 'loaded') && said.get(name)!.leftOut !== '')
        const groups = [...new Set(leaving.map((name) => said.get(name)!.leftOut))].map((leftOut) => {
          const own = leaving.filter((name) => said.get(name)!.leftOut === leftOut)
          return { leftOut, nodes: own, count: own.length }
        })
        expect(aggregate.leavingOut(9)).to.have.deep.members(groups)
        expect(nodes.unknown).to.equal(all.filter((name) => !known.has(name)).length)
        expect(aggregate.isEmpty).to.equal([...said.values()].every(({ state }) => state === 'unloaded'))
      }),
      { numRuns: 500 },
    )
  })

  const leaving = (count: number) => {
    const acknowledgements = new Acknowledgements(0)
    const aggregate = acknowledgements.of('demo/p', () => undefined)
    for (let i = 0; i < count; i++) acknowledgements.nodes.set(`n${i}`, { schedulable: true }, 0)
    aggregate.want('u', 1)
    const report = (node: string, leftOut: string) =>
      acknowledgements.report('demo/p', node, { uid: 'u', generation: 1, state: 'loaded', message: '', leftOut }, 0)
    return { aggregate, report }
  }

  it('tells its reader of what nodes report, and not of what the reader wants', () => {
    const acknowledgements = new Acknowledgements(0)
    let told = 0
    const poll = () => acknowledgements.of('demo/p', () => void told++)
    acknowledgements.nodes.set('n', { schedulable: true }, 0)
    poll().want('u', 1)
    poll().want('u', 2)
    expect(told).to.equal(0)
    const loaded = { uid: 'u', generation: 2, state: 'loaded', message: '', leftOut: '' } as const
    acknowledgements.report('demo/p', 'n', loaded, 0)
    expect(told).to.equal(1)
  })

  it('takes what a node says of a profile that was made again for news, and says whose node lacks an enforcer', () => {
    const acknowledgements = new Acknowledgements(0)
    const aggregate = acknowledgements.of('demo/p', () => undefined)
    for (const name of ['n0', 'n1']) acknowledgements.nodes.set(name, { schedulable: true }, 0)
    aggregate.want('u2', 1)
    const failed = { generation: 1, state: 'failed', message: 'no', leftOut: '' } as const
    const report = (node: string, uid: string, lacks: boolean) =>
      acknowledgements.report('demo/p', node, { ...failed, uid, lacks }, 0)
    expect([report('n0', 'u1', true), report('n0', 'u2', true), report('n0', 'u2', true)]).to.deep.equal([
      true,
      true,
      false,
    ])
    report('n1', 'u2', false)
    expect(aggregate.failures(9)).to.deep.equal([
      { node: 'n0', message: 'no', lacks: true },
      { node: 'n1', message: 'no' },
    ])
  })

  it('shows what a node leaves out whatever others have named before', () => {
    const { aggregate, report } = leaving(2)
    for (let i = 0; i < 1_000; i++) report('n0', `BPF: ${i}`)
    report('n1', 'BPF: all')
    expect(aggregate.leavingOut(9)).to.deep.equal([
      { leftOut: 'BPF: 999', nodes: ['n0'], count: 1 },
      { leftOut: 'BPF: all', nodes: ['n1'], count: 1 },
    ])
    expect([report('n1', 'BPF: all'), report('n1', ''), report('n1', '')]).to.deep.equal([false, true, false])
    expect(aggregate.leavingOut(9)).to.deep.equal([{ leftOut: 'BPF: 999', nodes: ['n0'], count: 1 }])
  })

  it('takes what there is no room for as something that is left out, and not as nothing', () => {
    const { aggregate, report } = leaving(203)
    for (let i = 0; i < 203; i++) report(`n${i}`, `BPF: ${i}`)
    const groups = aggregate.leavingOut(1)
    expect(groups).to.have.length(201)
    expect(groups.at(-1)).to.deep.equal({
      leftOut: 'more rules, which the log of the agent names',
      nodes: ['n200'],
      count: 3,
    })
    expect(report('n202', 'BPF: another')).to.equal(false)
    report('n7', '')
    expect(report('n202', 'BPF: another')).to.equal(true)
    const others = aggregate
      .leavingOut(1)
      .find(({ leftOut }) => leftOut === 'more rules, which the log of the agent names')
    expect(others?.count).to.equal(2)
  })

  it('notifies its reader once until that has looked', () => {
    const acknowledgements = new Acknowledgements(0)
    let notified = 0
    const notify = () => void notified++
    acknowledgements.nodes.set('a', { schedulable: true }, 0)
    acknowledgements.of('demo/p', notify)
    const loaded = (generation: number) =>
      acknowledgements.report('demo/p', 'a', { uid: 'u', generation, state: 'loaded', message: '', leftOut: '' }, 0)
    loaded(1)
    loaded(2)
    expect(notified).to.equal(1)
    acknowledgements.of('demo/p', notify)
    expect(loaded(2)).to.equal(false)
    expect(notified).to.equal(1)
    loaded(3)
    expect(notified).to.equal(2)
  })

  it('names 50 of the nodes that failed, and says how many there are besides', () => {
    const failures = Array.from({ length: MAX_NODES }, (_, i) => ({ node: `n${i}`, message: 'no' }))
    const nodes = {
      summary: { desired: 9_000, loaded: 0, failed: 8_000, blocking: 9_000 },
      failures,
      silent: { nodes: ['s'], count: 1 },
    }
    const { conditions = [] } = profileStatus(undefined, nodes, 1, asWall(0))
    expect(conditions).to.have.length(MAX_NODES + 1)
    expect(conditions.at(-1)?.message).to.equal('and 7951 more nodes')
  })

  it('keeps the time since when a node has failed', () => {
    const nodes = (message: string) => ({
      summary: { desired: 1, loaded: 0, failed: 1, blocking: 1 },
      failures: [{ node: 'n', message }],
      silent: { nodes: [], count: 0 },
    })
    const first = profileStatus(undefined, nodes('one'), 1, asWall(1_000))
    const second = profileStatus(first, nodes('other'), 2, asWall(9_000))
    expect(second.conditions?.[0]).to.deep.include({ message: 'other', lastTransitionTime: '1970-01-01T00:00:01Z' })
  })
})
