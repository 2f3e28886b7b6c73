import { expect } from 'chai'
import type { AgentReport, ProfileReport } from '../../../src/api/agent-report.ts'
import { policySpec, World } from './world.ts'

const reportOf = (profiles: ProfileReport[], rest: Partial<AgentReport> = {}): AgentReport => ({
  ...{ node: 'node-0', agent: 'stolen', epoch: '', complete: false, profiles },
  ...rest,
})

type Said = Pick<ProfileReport, 'state' | 'message' | 'leftOut'>

const invented = (from: number, count: number): ProfileReport[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ namespace: 'demo', name: `varmor-demo-invented-${from + i}`, uid: `u-${from + i}`, generation: 1 },
    state: 'failed',
    message: 'x'.repeat(100),
  }))

/** A manager with a policy that is ready on two nodes. */
async function established() {
  const world = new World()
  for (const name of ['node-0', 'node-1']) world.addNode(name)
  const manager = world.startManager()
  const key = world.policy('web', policySpec())
  expect(await world.runUntil(() => world.getPolicy(key)?.status?.ready === true, 60_000)).to.equal(true)
  await world.runFor(10_000)
  const entries = (): object => {
    const { live, passivated } = manager.system.stats().families['node-profile']!
    return {
      profiles: manager.acknowledgements.size,
      nodes: manager.acknowledgements.nodes.size,
      actors: live + passivated,
    }
  }
  return { world, manager, key, entries }
}

describe('reports of a node that lies', () => {
  it('leave nothing behind: a million invented ArmorProfiles in reports of 10,000', async () => {
    const { world, manager, key, entries } = await established()
    const before = entries()
    for (let i = 0; i < 100; i++)
      expect(manager.report(reportOf(invented(i * 10_000, 10_000))).complete, 'whether it is asked for more').to.equal(
        true,
      )
    expect(entries()).to.deep.equal(before)
    await world.runFor(60_000)
    expect(entries()).to.deep.equal(before)
    expect(world.getPolicy(key)?.status?.ready).to.equal(true)
  })

  it('about nodes that do not exist leave nothing behind, either', async () => {
    const { manager, entries } = await established()
    const before = entries()
    for (let i = 0; i < 20_000; i++) manager.report(reportOf(invented(i, 1), { node: `invented-${i}` }))
    expect(entries()).to.deep.equal(before)
  })

  it('about another uid than that of the ArmorProfile count for nothing', async () => {
    const { world, manager, key, entries } = await established()
    const before = entries()
    const { name, namespace } = world.getProfile('varmor-demo-web')!.metadata
    for (let i = 0; i < 100; i++)
      manager.report(
        reportOf([{ namespace: namespace!, name, uid: `u-${i}`, generation: 1, state: 'failed' }], { node: 'node-1' }),
      )
    await world.runFor(10_000)
    expect(entries()).to.deep.equal(before)
    expect(world.getPolicy(key)?.status?.ready).to.equal(true)
  })

  it('about an ArmorProfile that the manager has made, and that no watch has shown it yet, count', async () => {
    const world = new World({ lag: 5_000 })
    world.addNode('node-0')
    world.startManager()
    const key = world.policy('web', policySpec())
    expect(await world.runUntil(() => world.getPolicy(key)?.status?.ready === true, 30_000)).to.equal(true)
  })

  const flips: [what: string, of: (i: number) => Said, other?: string][] = [
    ['that fails now and then', (i) => ({ state: i % 2 === 0 ? 'failed' : 'loaded' })],
    ['with another message each time', (i) => ({ state: 'failed', message: `no ${i}` })],
    [
      'that another rule is left out each time',
      (i) => ({ state: 'loaded', leftOut: [{ enforcer: 'AppArmor', rule: `rule-${i}`, reason: 'no' }] }),
    ],
    ['that it is loaded and is not', (i) => ({ state: i % 2 ? 'loaded' : 'unloaded' })],
    ['that it is loaded and is not, where another node fails', (i) => ({ state: i % 2 ? 'loaded' : 'unloaded' }), 'no'],
  ]
  for (const [what, of, other] of flips)
    it(`say of an ArmorProfile ${what}: its status is written less and less often, but at once when that was quiet`, async () => {
      const { world, manager, key } = await established()
      if (other !== undefined) {
        world.agents.get('node-1')!.setFailing(other)
        // With this setting, a restart would wait for nodes, and the status would name them.
        world.api.update(key, (policy) =>
          Object.assign(policy, { spec: policySpec({ updateExistingWorkloads: true }) }),
        )
      }
      await world.runFor(90_000)
      world.agents.get('node-0')!.down = true
      const { name, namespace = '', uid, generation = 0 } = world.getProfile('varmor-demo-web')!.metadata
      const say = (state: Said) => manager.report(reportOf([{ namespace, name, uid: uid!, generation, ...state }]))
      const before = { ...world.api.writes }
      const since = (kind: string) => world.api.writes[kind]! - (before[kind] ?? 0)
      for (let i = 0; i < 1_200; i++) {
        say(of(i))
        await world.runFor(500)
      }
      // One write per second would give 600 writes.
      for (const kind of ['profile-status', 'policy-status']) expect(since(kind), kind).to.be.at.most(30)
      say({ state: 'loaded' })
      await world.runFor(120_000)
      say({ state: 'failed', message: 'no room' })
      await world.runFor(1_000)
      expect(JSON.stringify(world.getProfile('varmor-demo-web')?.status)).to.contain('no room')
      expect(world.condition(key, 'Ready')?.message).to.contain('no room')
      world.agents.get('node-1')!.setFailing('')
      say({ state: 'loaded' })
      await world.runFor(3_000)
      expect(world.getPolicy(key)?.status?.ready).to.equal(true)
    })

  it('are forgotten with the ArmorProfile', async () => {
    const { world, key, entries } = await established()
    world.api.delete(key)
    expect(await world.runUntil(() => world.getPolicy(key) === undefined, 120_000)).to.equal(true)
    await world.runFor(60_000)
    expect(entries()).to.deep.include({ profiles: 0, actors: 0 })
  })
})
