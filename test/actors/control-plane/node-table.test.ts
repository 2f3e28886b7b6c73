import { expect } from 'chai'
import { type NodeState, NodeTable } from '../../../actors/policy/node-table.ts'

const GRACE = 100

type Step =
  | { at: number; set: NonNullable<NodeState['agent']>; schedulable?: boolean }
  | { at: number; reports: true }
  | { at: number; boots: true }
  | { at: number; expire: true }

/** The number of counted nodes after the steps, the nodes without an agent, and whether there are more such nodes. */
function after(steps: Step[]): { desired: number; uncovered: string[]; more: boolean } {
  const table = new NodeTable(0)
  let more = false
  for (const step of steps)
    if ('set' in step) table.set('n1', { schedulable: step.schedulable ?? true, agent: step.set }, step.at)
    else if ('boots' in step) table.restarted('n1')
    else if ('reports' in step) table.reported(table.indexOf('n1', step.at), step.at, false)
    else more = table.expire(step.at - GRACE)
  return { desired: table.desired, uncovered: [...table.uncoveredNames()], more }
}

const joins: Step = { at: 0, set: 'unsaid' }
const late: Step = { at: GRACE, expire: true }

describe('which nodes count', () => {
  const rows: { title: string; steps: Step[]; counts: boolean; bare?: boolean; more?: boolean }[] = [
    { title: 'a node where an agent is expected', steps: [{ at: 0, set: 'yes' }, late], counts: true },
    { title: 'a node where no agent is expected', steps: [{ at: 0, set: 'no' }], counts: false, bare: true },
    {
      title: 'a node where no agent is expected and no pods can land',
      steps: [{ at: 0, set: 'no', schedulable: false }],
      counts: false,
    },
    { title: 'a node that joined just now', steps: [joins, { at: 50, expire: true }], counts: true, more: true },
    { title: 'a node that did not report in time', steps: [joins, late], counts: false, bare: true },
    { title: 'a node that reported in time', steps: [joins, { at: 50, reports: true }, late], counts: true },
    {
      title: 'a node that reported before the manager saw its Node object',
      steps: [{ at: 0, reports: true }, joins, late],
      counts: true,
    },
    {
      title: 'a node that had reported and was restarted',
      steps: [
        joins,
        { at: 50, reports: true },
        { at: 60, boots: true },
        { at: 70, set: 'unsaid' },
        { at: 300, expire: true },
      ],
      counts: true,
    },
    {
      title: 'a node that did not report in time and was restarted',
      steps: [joins, late, { at: 150, boots: true }, { at: 160, set: 'unsaid' }],
      counts: false,
      bare: true,
    },
    { title: 'a node that reports late', steps: [joins, late, { at: 200, reports: true }], counts: true },
    {
      title: 'a node that did not report in time and then changes',
      steps: [joins, late, { at: 150, set: 'unsaid', schedulable: false }, { at: 160, set: 'unsaid' }],
      counts: false,
      bare: true,
    },
    {
      title: 'a node where an agent is expected later',
      steps: [joins, late, { at: 150, set: 'yes' }, { at: 400, expire: true }],
      counts: true,
    },
    {
      title: 'a node that reported and where no agent is expected now',
      steps: [
        { at: 0, set: 'yes' },
        { at: 10, reports: true },
        { at: 20, set: 'no' },
      ],
      counts: false,
      bare: true,
    },
  ]
  it('notifies of each change of a node without an agent, whose labels and taints say which pods can land there', () => {
    const table = new NodeTable(0)
    let notified = 0
    table.subscribe({ nodeChanged: () => void notified++, nodeRemoved: () => undefined })
    for (let i = 0; i < 3; i++) table.set('n1', { schedulable: true, agent: 'no' }, 0)
    expect(notified).to.equal(3)
    for (let i = 0; i < 3; i++) table.set('n2', { schedulable: true }, 0)
    expect(notified).to.equal(4)
  })

  for (const { title, steps, counts, bare = false, more = false } of rows)
    it(`${title}: ${counts ? 'counts' : 'does not count'}`, () =>
      expect(after(steps)).to.deep.equal({ desired: counts ? 1 : 0, uncovered: bare ? ['n1'] : [], more }))
})
