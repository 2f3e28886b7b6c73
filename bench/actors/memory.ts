import type { Behaviour } from '../../actors/runtime/behaviour.ts'
import type { Family } from '../../actors/runtime/family.ts'
import { Simulation } from '../../actors/runtime/simulation.ts'

const NODES = 10_000
const POLICIES = 100
const IDLE_AFTER = 60_000

interface State {
  readonly wanted: number
  readonly loaded: number
  readonly problem: string | undefined
}

type Message = { type: 'wanted'; generation: number }

const nodeProfile: Behaviour<State, Message> = {
  start: () => ({ wanted: 0, loaded: 0, problem: undefined }),
  receive: (_, message) => ({ wanted: message.generation, loaded: message.generation, problem: undefined }),
}

/** A key that V8 stores as one flat string, like the key of a parsed object, and not as a chain of string pieces. */
const keyOf = (node: number, policy: number): string =>
  Buffer.from(`ip-10-0-${node >> 8}-${node & 255}/varmor-payments-web-${policy}`).toString('latin1')

interface Memory {
  /** Bytes of resident memory per actor, as the operating system sees it. */
  readonly rss: number
  /** Bytes of JavaScript heap per actor. */
  readonly heap: number
  /** Growth of resident memory for all actors, in MiB. */
  readonly total: number
}

function measure(): { rss: number; heap: number } {
  if (global.gc === undefined) throw new Error('run with --expose-gc')
  for (let i = 0; i < 4; i++) global.gc()
  return { rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed }
}

async function tellNodes(simulation: Simulation, family: Family<Message>, from: number, to: number): Promise<void> {
  for (let node = from; node < to; node++)
    for (let policy = 0; policy < POLICIES; policy++)
      if (!family.of(keyOf(node, policy)).tell({ type: 'wanted', generation: node + policy })) throw new Error('lost')
  await simulation.settle()
}

type Pair = { wanted: number; loaded: number }

/** The compact form of an actor. A node nearly always has loaded the wanted version, and then one number is enough. */
const small = ({ wanted, loaded }: State): number | Pair => (wanted === loaded ? wanted : { wanted, loaded })
const large = ({ wanted, loaded }: State): number | Pair => ({ wanted, loaded })

async function grown(
  nodes: number,
  passivate: boolean,
  compact: (state: State) => number | Pair = small,
): Promise<Memory> {
  const simulation = new Simulation()
  const family = simulation.system.family<State, Message, number | Pair>('node-profile', {
    behaviour: nodeProfile,
    idleAfter: IDLE_AFTER,
    passivate: compact,
    activate: (kept) => ({
      ...(typeof kept === 'number' ? { wanted: kept, loaded: kept } : kept),
      problem: undefined,
    }),
  })
  // Compiled code and one-time allocations do not belong to the actors.
  await tellNodes(simulation, family, nodes, nodes + 10)
  const before = measure()
  for (let node = 0; node < nodes; node += 500) {
    await tellNodes(simulation, family, node, Math.min(nodes, node + 500))
    if (passivate) await simulation.runFor(3 * IDLE_AFTER)
  }
  const after = measure()
  const { live, passivated } = simulation.system.stats().families['node-profile']!
  if ((passivate ? passivated : live) < nodes * POLICIES) throw new Error(`${live} live, ${passivated} passivated`)
  const rss = after.rss - before.rss
  return {
    rss: rss / (nodes * POLICIES),
    heap: (after.heap - before.heap) / (nodes * POLICIES),
    total: rss / 2 ** 20,
  }
}

/** A million actors that were active once and are kept in their compact form. */
export const passivated = (): Promise<Memory> => grown(NODES, true)

/** A million passivated actors with an object as the compact form. */
export const passivatedObject = (): Promise<Memory> => grown(NODES, true, large)

/** A million idle instances. */
export const idle = (): Promise<Memory> => grown(NODES, false)
