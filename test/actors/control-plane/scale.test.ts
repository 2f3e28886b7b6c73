import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import type { ProfileReport } from '../../../src/api/agent-report.ts'
import { policySpec, START, World } from './world.ts'

const NODES = 10_000
const POLICIES = 100
const HEAP_BOUND = 60 * 2 ** 20

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/**
 * Agents without state, so that only the manager is measured: each agent reports all profiles once when it has loaded
 * them. The reports spread over 15 s, as heartbeats do.
 */
class Fleet {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  join(): void {
    for (let i = 0; i < NODES; i++) {
      this.#world.facts.set(`node-${i}`, { schedulable: true })
      this.#world.manager!.nodeJoined(`node-${i}`, { schedulable: true })
    }
  }

  /** Makes each node report that it has the current version of every profile. */
  acknowledge(complete: boolean): void {
    const { clock } = this.#world
    const profiles = [...this.#world.api.of('ArmorProfile')].map(
      ({ metadata }): ProfileReport => ({
        namespace: metadata.namespace!,
        name: metadata.name,
        uid: metadata.uid,
        generation: metadata.generation,
        state: 'loaded',
      }),
    )
    for (let slot = 0; slot < 1_000; slot++)
      clock.after(slot * 15, () => {
        for (let i = slot; i < NODES; i += 1_000)
          this.#world.manager!.report({ node: `node-${i}`, agent: 'a', epoch: 'epoch-1', complete, profiles })
      })
  }
}

describe(`a manager with ${NODES} nodes and ${POLICIES} policies`, () => {
  it('has all acknowledged in 30 s, in 60 MiB, with few writes', async () => {
    const empty = heap()
    const world = new World()
    world.startManager()
    const fleet = new Fleet(world)
    fleet.join()
    const keys = Array.from({ length: POLICIES }, (_, i) => world.policy(`p${i}`, policySpec()))
    await world.runFor(1_000)
    expect([...world.api.of('ArmorProfile')]).to.have.length(POLICIES)
    fleet.acknowledge(true)
    let peak = 0
    // All reports have arrived after 15 s.
    for (const wait of [9_000, 9_000]) {
      await world.runFor(wait)
      peak = Math.max(peak, heap() - empty)
    }
    const allReady = () => keys.every((key) => world.getPolicy(key)?.status?.ready === true)
    expect(await world.runUntil(allReady, 11_000), 'all are ready').to.equal(true)
    expect(world.clock.now() - START).to.be.at.most(30_000)
    await world.runFor(10_000)
    expect(world.getProfile('varmor-demo-p0')?.status?.currentNumberLoaded).to.equal(NODES)
    peak = Math.max(peak, heap() - empty)
    expect(peak).to.be.below(HEAP_BOUND)
    // Writes: a finalizer, a profile, two statuses of the policy, and the profile's status every five seconds and at
    // the end.
    const writes = Object.values(world.api.writes).reduce((all, count) => all + count, 0)
    expect(writes / POLICIES, JSON.stringify(world.api.writes)).to.be.at.most(10)

    // The agents report the same state again, so the manager writes nothing.
    fleet.acknowledge(true)
    await world.runFor(30_000)
    expect(Object.values(world.api.writes).reduce((all, count) => all + count, 0)).to.equal(writes)
    expect(world.manager!.failures).to.deep.equal([])
    if (process.env['VARMOR_SHOW_SCALE']) console.log({ peakMiB: peak / 2 ** 20, writes: world.api.writes })
  })
})
