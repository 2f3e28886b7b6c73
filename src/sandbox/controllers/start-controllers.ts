import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { InProcessClient } from '../api-server/server.ts'
import { inProcessClient } from '../in-process-connection.ts'
import { Cluster } from './cluster.ts'
import { startDaemonSets } from './daemon-set.ts'
import { startDeployments } from './deployment.ts'
import { startNodeLifecycle } from './node-lifecycle.ts'
import { startReplicaSets } from './replica-set.ts'
import { startScheduler } from './scheduler.ts'
import { startStatefulSets } from './stateful-set.ts'

export interface ControllersOptions {
  /** As a user that may do everything. */
  readonly client: InProcessClient
  readonly clock: Clock
  readonly random: Random
  /** Called with work that failed; it is tried again by itself. Written to stderr unless given. */
  readonly failed?: (what: string, error: unknown) => void
}

export interface RunningControllers {
  /** Resolves once there is a copy of everything. */
  synced(): Promise<void>
  /** Whether nothing waits to be worked on now; work that is planned for later does not count. */
  readonly idle: boolean
  /** Ends all work. What is under way is not finished: controllers that are started later go on from the objects. */
  stop(): void
}

/** Starts what kube-controller-manager and kube-scheduler do for workloads, on an API server in this process. */
export function startControllers({ client, clock, random, failed }: ControllersOptions): RunningControllers {
  const api = inProcessClient(client, { clock, random })
  const report = failed ?? ((what, error) => console.warn(`${what}:`, error))
  const cluster = new Cluster({ client: api, clock, random, failed: report })
  const starts = [
    startDeployments,
    startReplicaSets,
    startStatefulSets,
    startDaemonSets,
    startScheduler,
    startNodeLifecycle,
  ]
  const queues = starts.map((start) => start(cluster))
  cluster.start()
  return {
    synced: () => cluster.synced(),
    get idle() {
      return cluster.isIdle && queues.every(({ isIdle }) => isIdle)
    },
    stop() {
      for (const queue of queues) queue.close()
      void cluster.stop().then(() => api.close())
    },
  }
}
