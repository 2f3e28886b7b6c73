import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, startCluster } from './cluster.ts'
import { missingForControlPlane, missingForNodes } from './requirements.ts'
import { secretsIn } from './secrets.ts'

/**
 * `calm` has real nodes, and tests do not disturb it. Tests kill and restart the servers of `harmed`, and leave them
 * running. `harmed nodes` is like `harmed`, but has real nodes.
 */
export type ClusterKind = 'calm' | 'harmed' | 'harmed nodes'

const started = new Map<ClusterKind, Promise<Cluster>>()

/**
 * The one cluster of its kind in this process, started when the first test asks for it. Tests use separate namespaces.
 */
export function sharedCluster(kind: ClusterKind): Promise<Cluster> {
  const found = started.get(kind)
  if (found !== undefined) return found
  const starting = startCluster({ nodes: kind !== 'harmed' && missingForNodes().length === 0, kwok: true })
  started.set(kind, starting)
  return starting
}

/** Secrets in the logs of all managers and agents on the host. */
function secretsInLogs({ logs }: Cluster): string[] {
  const ours = readdirSync(logs).filter((name) => name.startsWith('varmor-'))
  return ours.flatMap((name) => secretsIn(readFileSync(join(logs, name), 'utf8')).map((found) => `${name}: ${found}`))
}

/**
 * Stops the clusters that tests have started.
 * @throws if a log of vArmor contains a token or a key
 */
export async function stopSharedClusters(): Promise<void> {
  const all = await Promise.allSettled(started.values())
  started.clear()
  const found: string[] = []
  for (const outcome of all)
    if (outcome.status === 'fulfilled') {
      found.push(...secretsInLogs(outcome.value))
      await outcome.value.stop()
    }
  if (found.length > 0) throw new Error(`secrets in logs:\n${found.join('\n')}`)
}

/** Milliseconds of the first start on a machine, which compiles Kubernetes. */
export const firstStart = 30 * 60_000

/** Missing requirements of a test file: those of the control plane, and those of nodes if it uses nodes. */
export const missingWith = (nodes: boolean): ReturnType<typeof missingForControlPlane> => [
  ...missingForControlPlane(),
  ...(nodes ? missingForNodes() : []),
]
