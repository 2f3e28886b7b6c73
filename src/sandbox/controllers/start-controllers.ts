import { Cluster, type Ports } from './cluster.ts'
import { startDaemonSets } from './daemon-set.ts'
import { startDeployments } from './deployment.ts'
import { startNodeLifecycle } from './node-lifecycle.ts'
import { startReplicaSets } from './replica-set.ts'
import { startScheduler } from './scheduler.ts'
import { startStatefulSets } from './stateful-set.ts'

export interface RunningControllers {
  /** Resolves once there is a copy of everything. */
  synced(): Promise<void>
  /** Ends all work. What is under way is not finished: controllers that are started later go on from the objects. */
  stop(): void
}

/** Starts what kube-controller-manager and kube-scheduler do for workloads. The client is that of a user that may do everything. */
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
