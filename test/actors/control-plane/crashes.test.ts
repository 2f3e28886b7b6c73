import { expect } from 'chai'
import fc from 'fast-check'
import { policySpec, World } from './world.ts'

type Step =
  | { do: 'create'; policy: number; restart: boolean }
  | { do: 'rules'; policy: number; rule: number }
  | { do: 'enforcer'; policy: number }
  | { do: 'break'; policy: number }
  | { do: 'delete'; policy: number }
  | { do: 'join' | 'leave' | 'fail' | 'heal'; node: number }
  | { do: 'crash'; away: number }

const POLICIES = 3
const NODES = 5
const RULES = ['disallow-mount', 'disallow-umount', 'disallow-insmod']

const policy = fc.nat(POLICIES - 1)
const node = fc.nat(NODES - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('create' as const), policy, restart: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rules' as const), policy, rule: fc.nat(RULES.length - 1) }) },
  fc.record({ do: fc.constant('enforcer' as const), policy }),
  fc.record({ do: fc.constant('break' as const), policy }),
  fc.record({ do: fc.constant('delete' as const), policy }),
  fc.record({ do: fc.constantFrom('join', 'leave', 'fail', 'heal'), node }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('crash' as const), away: fc.nat(5_000) }) },
)
const plan = fc.array(fc.record({ step, after: fc.nat(15_000) }), { minLength: 3, maxLength: 14 })

/**
 * Checks at every moment that a Ready policy is loaded, in its current version, on every node that has existed for a
 * while.
 */
function checkReady(world: World, since: Map<string, number>): void {
  for (const object of world.api.of('VarmorPolicy')) {
    const { status, metadata } = world.getPolicy(`VarmorPolicy/demo/${object.metadata.name}`)!
    const profile = world.getProfile(`varmor-demo-${metadata.name}`)
    if (status?.ready !== true || status.observedGeneration !== metadata.generation || profile === undefined) continue
    for (const agent of world.agents.values()) {
      if (world.clock.now() - since.get(agent.node)! < 5_000) continue
      const key = `ArmorProfile/demo/varmor-demo-${metadata.name}`
      const loaded = agent.loaded.get(key)
      const isLoaded = loaded?.state === 'loaded' && loaded.generation === profile.metadata.generation
      if (!isLoaded && profile.metadata.generation === profile.status?.observedGeneration)
        throw new Error(`${metadata.name} says Ready, and ${agent.node} has ${JSON.stringify(loaded)}`)
    }
  }
}

/**
 * Runs the plan.
 * @returns the world when it is idle
 */
async function play(steps: readonly { step: Step; after: number }[], seed: number, faults: boolean): Promise<World> {
  // In every second world the watches lag far behind, so only the version in each write prevents conflicting writes.
  const lag = faults && seed % 2 === 0 ? 12_000 : 50
  const world = new World({ seed, lag, policy: { firstBackoff: 100 }, rollout: { retryInterval: 2_000 } })
  if (faults) world.api.faults = { rate: 0.15, latency: 60 }
  const since = new Map<string, number>()
  const join = (i: number) => {
    since.set(`node-${i}`, world.clock.now())
    world.addNode(`node-${i}`)
  }
  for (let i = 0; i < 3; i++) join(i)
  for (let i = 0; i < POLICIES; i++)
    for (let j = 0; j < 2; j++)
      world.workload('Deployment', `app-${i}-${j}`, {
        labels: { app: `app-${i}`, 'sandbox.varmor.org/enable': 'true' },
      })
  world.startManager()
  await world.runFor(8_000)
  for (const { step, after } of steps) {
    await apply(world, step, faults, join, since)
    await world.runFor(after)
    if (!faults) checkReady(world, since)
  }
  if (world.manager === undefined) world.startManager()
  world.api.faults = { rate: 0, latency: 20 }
  for (const agent of world.agents.values()) agent.setFailing('')
  await world.runFor(400_000)
  return world
}

async function apply(
  world: World,
  step: Step,
  crashes: boolean,
  join: (node: number) => void,
  since: Map<string, number>,
): Promise<void> {
  switch (step.do) {
    case 'crash':
      // The same time passes in the world without crashes.
      if (crashes) world.crashManager()
      await world.runFor(step.away)
      if (crashes) world.startManager()
      return
    case 'join':
      if (!world.agents.has(`node-${step.node}`)) join(step.node)
      return
    case 'leave':
      if (world.agents.size > 1) world.removeNode(`node-${step.node}`)
      return
    case 'fail':
    case 'heal':
      since.set(`node-${step.node}`, world.clock.now())
      world.agents.get(`node-${step.node}`)?.setFailing(step.do === 'fail' ? 'no room' : '')
      return
    case 'create': {
      const target = { kind: 'Deployment' as const, selector: { matchLabels: { app: `app-${step.policy}` } } }
      const known = world.getPolicy(`VarmorPolicy/demo/p${step.policy}`)
      if (known === undefined)
        world.policy(`p${step.policy}`, policySpec({ target, updateExistingWorkloads: step.restart }))
      return
    }
    case 'delete':
      world.api.delete(`VarmorPolicy/demo/p${step.policy}`)
      return
    default:
      world.api.update(`VarmorPolicy/demo/p${step.policy}`, (object) => {
        if (object.metadata.deletionTimestamp !== undefined) return
        const { policy } = object.spec as ReturnType<typeof policySpec>
        if (step.do === 'enforcer') policy.enforcer = 'AppArmorBPF'
        else policy.enhanceProtect!.hardeningRules = [step.do === 'rules' ? RULES[step.rule]! : 'no-such-rule']
      })
  }
}

/** The relevant facts of the end: policies with their phase, profiles, and the loaded profiles of each node. */
function endState(world: World): unknown {
  const policies = [...world.api.of('VarmorPolicy')].map(({ metadata }) => {
    const { status } = world.getPolicy(`VarmorPolicy/demo/${metadata.name}`)!
    return [metadata.name, status?.phase, status?.ready, status?.restart?.done]
  })
  const profiles = [...world.api.of('ArmorProfile')].map(({ metadata, spec }) => [metadata.name, spec])
  const nodes = [...world.agents.values()].map(({ node, loaded }) => [node, [...loaded.keys()].sort()])
  return { policies, profiles, nodes }
}

describe('the control plane', () => {
  it('comes to the same end whatever fails meanwhile, says Ready of nothing that is not, and restarts each workload once a change', async () => {
    await fc.assert(
      fc.asyncProperty(plan, fc.integer(), async (steps, seed) => {
        const world = await play(steps, seed, true)
        for (const manager of world.managers) expect(manager.failures.filter(isBug)).to.deep.equal([])
        expectSound(world)
        const counts = new Map<string, number>()
        for (const { workload } of world.restarts) counts.set(workload, (counts.get(workload) ?? 0) + 1)
        for (const [workload, count] of counts) {
          const changes = world.changesOf(workload)
          expect(new Set(changes).size, workload).to.equal(changes.length)
          expect(count, `${workload}: ${changes}`).to.equal(changes.length)
        }
      }),
      { numRuns: Number(process.env['VARMOR_CRASH_RUNS'] ?? 40) },
    )
  })

  it('says Ready only of what every node has loaded as it stands, at every moment', async () => {
    await fc.assert(
      fc.asyncProperty(plan, fc.integer(), async (steps, seed) => {
        const world = await play(steps, seed, false)
        expect(world.manager?.failures).to.deep.equal([])
        expectSound(world)
      }),
      { numRuns: 30 },
    )
  })

  it('ends as it does when nothing fails', async () => {
    const steps: { step: Step; after: number }[] = [
      { step: { do: 'create', policy: 0, restart: true }, after: 700 },
      { step: { do: 'create', policy: 1, restart: false }, after: 300 },
      { step: { do: 'crash', away: 500 }, after: 3_000 },
      { step: { do: 'rules', policy: 1, rule: 2 }, after: 900 },
      { step: { do: 'crash', away: 2_000 }, after: 5_000 },
      { step: { do: 'enforcer', policy: 0 }, after: 15_000 },
      { step: { do: 'delete', policy: 1 }, after: 200 },
      { step: { do: 'crash', away: 100 }, after: 15_000 },
      { step: { do: 'join', node: 4 }, after: 100 },
    ]
    for (let seed = 1; seed <= 5; seed++) {
      const [calm, rough] = [await play(steps, seed, false), await play(steps, seed, true)]
      expect(endState(rough)).to.deep.equal(endState(calm))
    }
  })
})

const isBug = ({ error }: { error: unknown }): boolean => !String(error).includes('this manager is dead')

/**
 * When the world is idle, existing policies are in force on all nodes, deleted policies are removed everywhere, and
 * each faulty policy shows an error.
 */
function expectSound(world: World): void {
  const wanted = new Set<string>()
  for (const { metadata, spec } of world.api.of('VarmorPolicy')) {
    const { status } = world.getPolicy(`VarmorPolicy/demo/${metadata.name}`)!
    const isBroken = JSON.stringify(spec).includes('no-such-rule')
    expect(metadata.deletionTimestamp, metadata.name).to.equal(undefined)
    const profile = world.getProfile(`varmor-demo-${metadata.name}`)
    expect(status?.phase, JSON.stringify(status)).to.equal(isBroken ? 'Error' : 'Protecting')
    if (profile === undefined) continue
    wanted.add(`ArmorProfile/demo/${profile.metadata.name}`)
    expect(profile.status).to.deep.include({
      desiredNumberLoaded: world.agents.size,
      currentNumberLoaded: world.agents.size,
    })
    const restarts = (spec as { updateExistingWorkloads?: boolean }).updateExistingWorkloads === true
    if (restarts && !isBroken) expect(status?.restart?.done, JSON.stringify(status)).to.equal(true)
  }
  expect([...world.api.of('ArmorProfile')].map(({ metadata }) => `ArmorProfile/demo/${metadata.name}`)).to.have.members(
    [...wanted],
  )
  for (const agent of world.agents.values()) expect([...agent.loaded.keys()]).to.have.members([...wanted])
}
