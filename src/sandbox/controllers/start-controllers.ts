import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { ClusterClient, isStatus, type Requests } from './cluster-client.ts'
import { startDaemonSetController } from './daemon-set/daemon-set-controller.ts'
import { startDeploymentController } from './deployment/deployment-controller.ts'
import type { Controller, Environment } from './environment.ts'
import { EventRecorder } from './event-recorder.ts'
import { Informers } from './informers.ts'
import { startJobController } from './job/job-controller.ts'
import { startNodeLifecycle } from './node-lifecycle.ts'
import { startReplicaSetController } from './replica-set/replica-set-controller.ts'
import { startScheduler } from './scheduler/scheduler.ts'
import { startStatefulSetController } from './stateful-set/stateful-set-controller.ts'

export interface ControllersOptions {
  /** As a user that may do everything. */
  readonly client: Requests
  readonly clock: Clock
  readonly random: Random
  /** Is told of work that failed; it is tried again by itself. Written to stderr unless given. */
  readonly failed?: (controller: string, key: string, error: unknown) => void
}

export interface RunningControllers {
  /** Resolves once every controller has a copy of what there is. */
  synced(): Promise<void>
  /** Whether nothing waits to be worked on now; work that is planned for later does not count. */
  readonly idle: boolean
  /** Ends all work. What is under way is finished by nobody: controllers that are started later go on from the objects. */
  stop(): void
}

/** A conflict or two are part of the game: someone else wrote or deleted first, and the next look sees it. */
const usualConflicts = 5

/** Starts what kube-controller-manager and kube-scheduler do for workloads, on an API server in this process. */
export function startControllers({ client: requests, clock, random, failed }: ControllersOptions): RunningControllers {
  const report = failed ?? ((controller, key, error) => console.warn(`${controller}: ${key}:`, error))
  const client = new ClusterClient(requests)
  const informers = new Informers({ client, clock, random, failed: (what, error) => report('informers', what, error) })
  const environment: Environment = {
    client,
    informers,
    clock,
    random,
    events: new EventRecorder({ client, clock, random, failed: (what, error) => report('events', what, error) }),
    failed(controller, key, error, failures) {
      const usual = isStatus(error, 409) || isStatus(error, 404)
      if (!usual || failures > usualConflicts) report(controller, key, error)
    },
  }
  const controllers: Controller[] = [
    startDeploymentController(environment),
    startReplicaSetController(environment),
    startStatefulSetController(environment),
    startDaemonSetController(environment),
    startJobController(environment),
    startScheduler(environment),
    startNodeLifecycle(environment),
  ]
  informers.start()
  return {
    synced: () => informers.synced(),
    get idle() {
      return controllers.every(({ queue }) => queue.idle)
    },
    stop() {
      informers.stop()
      for (const { queue } of controllers) queue.close()
    },
  }
}
