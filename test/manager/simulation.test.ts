import { expect } from 'chai'
import type { VarmorPolicySpec } from '../../src/api/types.ts'
import { varmorPolicies } from '../../src/kube/own-kinds.ts'
import { policySpec } from '../actors/control-plane/world.ts'
import { faultsOf } from '../sandbox/faults.ts'
import { total } from './simulation/call-log.ts'
import { StatusCheck } from './simulation/status-check.ts'
import { START, World } from './simulation/world.ts'

const NODES = 200
const POLICIES = 10
const SEEDS = [1, 2, 3]
const namespace = 'demo'
/** Milliseconds. The lease of a dead manager lasts 15 s, and an agent waits at most 30 s until it retries. */
const TIMEOUT = 180_000

const nameOf = (i: number): string => `policy-${i}`
const firstSpec = policySpec()
const nextSpec = policySpec({ rules: ['disallow-mount', 'disallow-umount'] })

/** Results of a run, without the simulated world. */
interface Run {
  end: object
  digests: string[]
  /** Milliseconds of simulated time that the run took. */
  time: number
  unfounded: string[]
  ready: number
  /** How often a policy became Ready while an agent did not report. */
  readyInSilence: number
  calls: Record<string, number>
  /** Timers and watches that remain after the end. */
  left: number
}

async function run(seed: number): Promise<Run> {
  const world = new World({ seed, taken: (report) => check.taken(report) })
  const { cluster, clock, random } = world
  const check = new StatusCheck(cluster.server.context.store)
  const soon = (max: number, act: () => void) => void clock.after(random() * max, act)
  await world.start([namespace])
  await world.addNodes(Array.from({ length: NODES }, (_, i) => `node-${i}`))
  const managers = [world.startManager()]
  await world.runFor(20_000)

  // Policies are created while watches break, a node is removed, another node stops reporting, and the manager dies and
  // is replaced.
  const { context } = cluster.server
  const faults = faultsOf(cluster.server)
  const silent = world.agents.get(`node-${Math.floor(random() * (NODES - 1))}`)!
  silent.silent = true
  for (let i = 0; i < POLICIES; i++) soon(5_000, () => void cluster.addPolicy(namespace, nameOf(i), firstSpec))
  faults.add({ user: 'varmor-manager', verb: 'watch', times: 6, fault: { type: 'watch-cut', events: 3, reset: true } })
  faults.add({ user: 'varmor-manager', verb: 'watch', times: 2, fault: { type: 'expired' } })
  faults.add({ user: 'varmor-manager', probability: 0.05, times: 20, fault: { type: 'status', code: 503 } })
  faults.add({ user: 'varmor-manager', probability: 0.05, times: 10, fault: { type: 'reset', after: true } })
  for (let i = 0; i < 3; i++) soon(8_000, () => void context.hub.endWhere(() => true, 'cut'))
  soon(8_000, () => void cluster.removeNode(`node-${NODES - 1}`))
  soon(8_000, () => {
    void world.crash(managers[0]!)
    managers.push(world.startManager())
  })
  await world.runFor(60_000)
  const readyInSilence = check.ready
  silent.silent = false
  expect(await world.runUntil(() => allReady(1), TIMEOUT), 'all are Ready').to.equal(true)

  // Each policy changes once, and the manager hands over in the middle of the changes.
  for (let i = 0; i < POLICIES; i++) soon(3_000, () => void change(nameOf(i), nextSpec))
  soon(5_000, () => {
    void world.retire(managers[1]!)
    managers.push(world.startManager())
  })
  await world.runFor(6_000)
  expect(await world.runUntil(() => allReady(2), TIMEOUT), 'all are Ready again').to.equal(true)
  await world.runFor(20_000)
  const { unfounded, ready } = check
  const end = check.endState()
  const time = clock.now() - START
  await world.stop()
  const digests = managers.map(({ calls }) => calls.digest)
  const left = clock.timers + context.hub.size
  return {
    end,
    digests,
    time,
    unfounded,
    ready,
    readyInSilence,
    left,
    calls: sumOf(managers.map(({ calls }) => calls.counts)),
  }

  function allReady(generation: number): boolean {
    const names = Array.from({ length: POLICIES }, (_, i) => nameOf(i))
    return names.every((name) => {
      const found = managers.at(-1)!.view.policies.store.get(`${namespace}/${name}`)
      return found?.status?.ready === true && found.status.observedGeneration === generation
    })
  }

  function change(name: string, spec: VarmorPolicySpec): Promise<unknown> {
    return cluster.admin.patch(varmorPolicies, { namespace, name }, { type: 'merge', patch: { spec } })
  }
}

function sumOf(all: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const counts of all) for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count
  return sum
}

/** Additional requests because of faults: each fault that hits a request causes one more. */
const FAULTS = 40
const TERMS = 3
/** Maximum number of requests of all managers of a run together. */
const bounds: { what: string; which: RegExp; max: number }[] = [
  // Five writes for each of a policy's two specs, whichever manager leads.
  {
    what: 'writes',
    which: /^(create|patch|update) (varmor|armor(?!profiles\/status)|events)/,
    max: 10 * POLICIES + FAULTS,
  },
  // While a node does not report, the status of each profile is written every 5 s.
  { what: 'statuses of profiles', which: /^update armorprofiles\/status/, max: 18 * POLICIES },
  { what: 'lists', which: /^list /, max: 7 * TERMS + FAULTS },
  // Each of the seven watches is cut three times, and also by faults.
  { what: 'watches', which: /^watch /, max: 7 * TERMS * 4 + FAULTS },
]

describe(`a manager of ${NODES} nodes and ${POLICIES} policies on the embedded API server, under simulated time`, () => {
  const runs = new Map<number, Run>()
  before(async () => {
    for (const seed of SEEDS) runs.set(seed, await run(seed))
  })

  for (const seed of SEEDS) {
    it(`calls a policy Ready only with the word of every node (seed ${seed})`, () => {
      const { unfounded, ready, readyInSilence } = runs.get(seed)!
      expect(unfounded).to.deep.equal([])
      expect(readyInSilence, 'Ready while an agent was silent').to.equal(0)
      expect(ready).to.be.at.least(2 * POLICIES)
    })

    it(`leaves nothing behind (seed ${seed})`, () => {
      expect(runs.get(seed)!.left).to.equal(0)
    })

    it(`asks for little (seed ${seed})`, () => {
      const { calls, time } = runs.get(seed)!
      for (const { what, which, max: most } of bounds) expect(total(calls, which), what).to.be.at.most(most)
      // One request for each node, minute and manager.
      expect(total(calls, /tokenreviews/)).to.be.at.most(NODES * (TERMS + time / 60_000) + FAULTS)
    })
  }

  it('comes to the same end whichever seed', () => {
    const [first, ...others] = SEEDS.map((seed) => runs.get(seed)!.end)
    for (const other of others) expect(other).to.deep.equal(first)
  })

  it('does the same at the same times with the same seed', async () => {
    const [before, again] = [runs.get(SEEDS[0]!)!, await run(SEEDS[0]!)]
    expect(again.digests).to.deep.equal(before.digests)
    expect(again.time).to.equal(before.time)
    expect(again.end).to.deep.equal(before.end)
  })
})
