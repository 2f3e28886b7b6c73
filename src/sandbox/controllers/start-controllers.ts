import { Cluster, type Ports } from './cluster.ts'
import { startDaemonSets } from './daemon-set.ts'
import { startDeployments } from './deployment.ts'
import { startNodeLifecycle } from './node-lifecycle.ts'
import { startReplicaSets } from './replica-set.ts'
import { startScheduler } from './scheduler.ts'
import { startStatefulSets } from './stateful-set.ts'

export interface RunningControllers {
  /** Resolves when all copies are complete. */
  synced(): Promise<void>
  /** Stops all work, even if it is unfinished. Later controllers continue from the state of the objects. */
  stop(): void
}

/**
 * Starts the parts of kube-controller-manager and kube-scheduler that workloads need. The client's user must be allowed
 * to do everything.
 */
export function startControllers(ports: Ports): RunningControllers {
  const cluster = new Cluster(ports)
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
    stop() {
      for (const queue of queues) queue.close()
      void cluster.stop()
    },
  }
}
