/**
 * Simulates the agents of many nodes in one process. The agents share one watch. In all other respects, each acts like
 * a real agent: it has its own connection and token, reports changes at once, and sends heartbeats. The agents load no
 * profiles. Talks with `fleet.ts`.
 */
import { once } from 'node:events'
import { KubeConfig } from '@kubernetes/client-node'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import { armorProfiles } from '../../src/kube/own-kinds.ts'
import { clientSource, Reflector } from '../../src/kube/reflector.ts'
import { LightAgent } from './light-agent.ts'
import { Standings } from './standings.ts'

export interface FleetSettings {
  kubeconfig: string
  manager: string
  /** Authority of the manager's certificate, in PEM. */
  ca: string
  /** Token of each node. */
  tokens: [node: string, token: string][]
  /** Milliseconds that a node takes to load a profile. */
  loading: number
  /** Tells whether agents report one profile at a time, as upstream's agents do. */
  single: boolean
}

export type FleetCommand =
  | { type: 'manager'; url: string; single: boolean; spread: number }
  | { type: 'count' }
  | { type: 'stop' }

export interface FleetCount {
  agents: number
  /** Number of answers so far, by status; 0 is a failed connection. */
  answers: Record<number, number>
  profiles: number
  /** Number of agents that have nothing to report. */
  idle: number
}

const [settings] = (await once(process, 'message')) as [FleetSettings]
const config = new KubeConfig()
config.loadFromFile(settings.kubeconfig)
const client = new ApiClient({ connection: new KubeConnection(config), limiter: unlimited })
const standings = new Standings()
const { ca, single } = settings
const shared = { standings, manager: settings.manager, ca, single, answers: {} as Record<number, number>, profiles: 0 }
const agents = settings.tokens.map(([node, token]) => new LightAgent(node, token, shared))

const reflector = new Reflector({ source: clientSource(client, armorProfiles) })
reflector.subscribe({
  name: 'fleet',
  handle: ({ type, object }) => {
    const loaded = () => {
      standings.take(type === 'deleted', object)
      for (const agent of agents) agent.wake()
    }
    if (settings.loading === 0) loaded()
    else setTimeout(loaded, settings.loading)
  },
})
reflector.start()
await reflector.synced

process.on('message', (command: FleetCommand) => {
  if (command.type === 'manager') {
    shared.manager = command.url
    shared.single = command.single
    for (const agent of agents) agent.meet(command.spread)
  } else if (command.type === 'count') {
    const idle = agents.filter((agent) => agent.isIdle).length
    process.send!({
      agents: agents.length,
      answers: shared.answers,
      profiles: shared.profiles,
      idle,
    } satisfies FleetCount)
  } else process.exit(0)
})
process.on('disconnect', () => process.exit(1))
for (const agent of agents) agent.start()
process.send!('ready')
