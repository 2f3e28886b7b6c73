import { type Cluster, startCluster } from './cluster.ts'
import { missingForControlPlane, missingForNodes } from './requirements.ts'

let started: Promise<Cluster> | undefined

/** The one cluster of a run, started when the first test asks for it. Tests keep apart by namespaces. */
export function sharedCluster(): Promise<Cluster> {
  started ??= startCluster({ nodes: missingForNodes().length === 0, kwok: true })
  return started
}

/** Ends it, if any test has asked for it. */
export async function stopSharedCluster(): Promise<void> {
  await (await started?.catch(() => undefined))?.stop()
  started = undefined
}

/** The first start on a machine compiles Kubernetes; milliseconds. */
export const firstStart = 30 * 60_000

/** What a test file needs beside the control plane itself. */
export const missingWith = (nodes: boolean): ReturnType<typeof missingForControlPlane> => [
  ...missingForControlPlane(),
  ...(nodes ? missingForNodes() : []),
]
