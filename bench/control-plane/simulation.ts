/**
 * The manager's actors with very many nodes, under simulated time and with an API server in memory, seeded:
 *   node --expose-gc --max-old-space-size=160 --max-semi-space-size=8 --import tsx bench/control-plane/simulation.ts [--nodes 10000] [--policies 100]
 * With the two bounds of memory, garbage is collected when it is to be; without, Node.js takes what the machine has, and more than it needs.
 * Agents are without a state of their own, so the memory is the manager's, with that of the API server's objects. Who is late in
 * simulated time is late by design, not because the machine has other work.
 */
import { parseArgs } from 'node:util'
import type { ProfileReport } from '../../src/api/agent-report.ts'
import { START, World } from '../../test/actors/control-plane/world.ts'
import { benchPolicy } from './cluster-objects.ts'
import { processCost } from './process-cost.ts'

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '10000' }, policies: { type: 'string', default: '100' } },
})
const [nodes, policies] = [Number(values.nodes), Number(values.policies)]
/** Milliseconds over which the agents of all nodes say what they have: their heartbeats are no more apart. */
const spread = 15_000
/** Milliseconds of simulated time from the policies to Ready, and MiB of resident memory. */
const aims = { time: 30_000, memory: 300 }

const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error('run it with --expose-gc')
  globalThis.gc()
}
const memory = (): { heap: number; rss: number } => {
  collect()
  return { heap: process.memoryUsage().heapUsed / 2 ** 20, rss: processCost(process.pid).rss }
}

const world = new World({ seed: 1 })
const empty = memory()
const manager = world.startManager()
for (let i = 0; i < nodes; i++) manager.nodeJoined(`node-${i}`, { schedulable: true })
const keys = Array.from({ length: policies }, (_, i) => world.policy(`p${i}`, benchPolicy(i).spec))
await world.runFor(1_000)

/** All nodes say, one after the other, that they have every profile as it is now. */
function acknowledge(): void {
  const profiles = [...world.api.of('ArmorProfile')].map(({ metadata }): ProfileReport => {
    const { namespace = '', name, uid, generation } = metadata
    return { namespace, name, uid, generation, state: 'loaded' }
  })
  const slots = 1_000
  for (let slot = 0; slot < slots; slot++)
    world.clock.after((slot * spread) / slots, () => {
      for (let i = slot; i < nodes; i += slots)
        manager.report({ node: `node-${i}`, agent: 'a', epoch: manager.epoch, complete: true, profiles })
    })
}

const allReady = (): boolean => keys.every((key) => world.getPolicy(key)?.status?.ready === true)
const writes = (): number => Object.values(world.api.writes).reduce((all, count) => all + count, 0)

const [start, cpu] = [performance.now(), processCost(process.pid).cpu]
acknowledge()
const isReady = await world.runUntil(allReady, 2 * aims.time)
const time = world.clock.now() - START
await world.runFor(10_000)
const used = memory()
const first = writes()
acknowledge()
await world.runFor(30_000)
const again = writes() - first

console.log(`${nodes} nodes x ${policies} policies`)
console.log(
  `policy to all Ready: ${isReady ? `${time / 1000} s of simulated time` : 'never'} (aim: <= ${aims.time / 1000} s)`,
)
console.log(
  `memory: ${used.rss.toFixed(0)} MiB resident (${empty.rss.toFixed(0)} empty), ${(used.heap - empty.heap).toFixed(0)} MiB of heap (aim: <= ${aims.memory} MiB)`,
)
console.log(
  `most memory: ${processCost(process.pid).peak.toFixed(0)} MiB, of which a collection at any time would have freed some`,
)
console.log(
  `API calls: ${(first / policies).toFixed(1)} a policy (${JSON.stringify(world.api.writes)}), ${again} when all nodes say it again`,
)
console.log(
  `real time ${((performance.now() - start) / 1000).toFixed(1)} s, CPU ${(processCost(process.pid).cpu - cpu).toFixed(1)} s for ${2 * nodes * policies} acknowledgements`,
)
