/**
 * Measures a manager with very many nodes, with the embedded API server in the same process, in simulated time. The
 * manager uses all its own components. Each node uses the agent's own reporter, but loads no profiles. In simulated
 * time, a delay comes from the design, and not from other work on the machine. The manager's memory is the memory that
 * is free after its end. Exits with 1 if a target is missed.
 */
import { group } from '../../src/api/crds.ts'
import type { VarmorPolicy } from '../../src/api/types.ts'
import { type CallLog, total } from '../../test/manager/simulation/call-log.ts'
import { World } from '../../test/manager/simulation/world.ts'
import { countOption, progress, readOptions } from '../bench.ts'
import { benchPolicy, NAMESPACES, namespaceOf } from './cluster-objects.ts'
import { processCost } from './process-cost.ts'

const { nodes, policies, seed } = readOptions<Record<'nodes' | 'policies' | 'seed', number>>({
  command: 'node --expose-gc --import tsx bench/control-plane/simulation.ts',
  about: 'measure a manager with very many nodes, on the embedded API server, in simulated time',
  options: [
    countOption('--nodes <count>', 'number of nodes', 10_000),
    countOption('--policies <count>', 'number of applied policies', 100),
    countOption('--seed <number>', 'seed of the random numbers', 1),
  ],
})
/** Targets: seconds of simulated time from the first policy until the last is Ready, and MiB of memory. */
const aims = { time: 30, memory: 300 }
/** Images that each Node names, as many as a kubelet reports. */
const IMAGES = 50
/** Milliseconds between two statuses of a Node. `SETTLED`: milliseconds until each agent has reported. */
const HEARTBEAT = 300_000
const SETTLED = 30_000

/** A manager's allowed requests within this many seconds of its start. */
const budget = (seconds: number): { what: string; which: RegExp; max: number }[] => [
  {
    what: 'writes of policies, profiles, events',
    which: /^(create|patch|update) (varmor|armor|events)/,
    max: 10 * policies,
  },
  { what: 'token reviews', which: /tokenreviews/, max: nodes * Math.ceil(1 + seconds / 60) },
  { what: 'lease', which: /leases/, max: 5 + seconds / 2 },
  { what: 'lists and watches', which: /^(list|watch) /, max: 20 + nodes / 500 + (7 * seconds) / 300 },
]

/** MiB of heap in use, with buffers. */
function heap(): number {
  if (globalThis.gc === undefined) throw new Error('start Node.js with --expose-gc')
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 2 ** 20
}

const empty = { heap: heap(), rss: processCost(process.pid).rss }
const world = new World({ seed, images: IMAGES })
const { cluster, clock } = world
await world.start(Array.from({ length: Math.min(policies, NAMESPACES) }, (_, i) => namespaceOf(i)))
const names = Array.from({ length: nodes }, (_, i) => `node-${i}`)
await world.addNodes(names)
progress(`${nodes} nodes added`)
const unmanaged = heap()

const beat = (name: string): void => {
  void cluster.heartbeat(name)
  clock.after(HEARTBEAT, () => beat(name))
}
for (const name of names) clock.after(world.random() * HEARTBEAT, () => beat(name))
const started = clock.now()
const { calls } = world.startManager()
await world.runFor(SETTLED)
progress('manager started, agents have reported')
const began = clock.now()
for (let i = 0; i < policies; i++) {
  const { metadata, spec } = benchPolicy(i)
  await world.until(cluster.addPolicy(metadata.namespace ?? '', metadata.name, spec))
}
progress(`${policies} policies applied`)
const isReady = await world.runUntil(allReady, 2 * aims.time * 1000)
progress(isReady ? 'all policies are Ready' : 'some policies are not Ready')
const time = (clock.now() - began) / 1000
await world.runFor(10_000)
const seconds = (clock.now() - started) / 1000

// Copied before the manager ends, because its end makes further requests.
const made = { counts: { ...calls.counts }, digest: calls.digest }
const whole = heap()
await world.until(world.crash(world.managers[0]!))
const managerless = heap()
const held = whole - managerless

const misses: string[] = []
const aim = (holds: boolean, text: string): void => {
  console.log(`${holds ? 'ok    ' : 'MISSED'} ${text}`)
  if (!holds) misses.push(text)
}
console.log(`${nodes} nodes x ${policies} policies, seed ${seed}, ${seconds.toFixed(1)} s of simulated time`)
aim(
  isReady && time <= aims.time,
  `time from the first policy until all are Ready: ${isReady ? `${time} s` : 'never'} (at most ${aims.time} s)`,
)
const resident = empty.rss + held
aim(
  resident <= aims.memory,
  `the manager: ${mib(held)} of heap; with the memory of the process before its start: ${mib(resident)} (at most ${aims.memory} MiB)`,
)
reportCalls(made)
console.log(
  `       server with its objects, and agents, before the manager starts: ${mib(unmanaged - empty.heap)} of heap`,
)
console.log(
  `       server and agents at the end: ${mib(managerless - empty.heap)} of heap; the ${nodes} Nodes as JSON: ${mib(nodesAsJson())}`,
)
console.log(`       maximum resident memory of the whole process: ${mib(processCost(process.pid).peak)}`)
console.log(`       CPU ${processCost(process.pid).cpu.toFixed(0)} s`)
process.exit(misses.length > 0 ? 1 : 0)

function allReady(): boolean {
  let ready = 0
  for (const object of cluster.server.context.store.walk(`${group}/varmorpolicies`))
    if ((object as unknown as VarmorPolicy).status?.ready === true) ready++
  return ready === policies
}

function reportCalls({ counts, digest }: Pick<CallLog, 'counts' | 'digest'>): void {
  for (const { what, which, max: most } of budget(seconds)) {
    const made = total(counts, which)
    aim(made <= most, `API calls, ${what}: ${made} (at most ${Math.floor(most)})`)
  }
  console.log(`       ${JSON.stringify(counts)}`)
  console.log(`       digest of the calls and their times: ${digest.slice(0, 16)}`)
}

function nodesAsJson(): number {
  let bytes = 0
  for (const object of cluster.server.context.store.walk('/nodes')) bytes += JSON.stringify(object).length
  return bytes / 2 ** 20
}

function mib(value: number): string {
  return `${value.toFixed(0)} MiB`
}
