import type { Container, Pod } from '../controllers/objects.ts'

export interface ContainerExit {
  readonly exitCode: number
  /** A reason such as `Completed`, `Error` or `OOMKilled`. */
  readonly reason: string
  readonly message?: string
  /** Time in milliseconds since the epoch. Default: now. */
  readonly finishedAt?: number
}

/** The exit of a container about which the runtime has no information, because the container was removed. */
export const goneExit: ContainerExit = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container no longer exists',
}

/** The runtime calls these methods when a container's state changes. */
export interface ContainerObserver {
  /** Called when the container becomes ready or unready to serve. */
  ready(ready: boolean): void
  exited(exit: ContainerExit): void
}

export interface StartedContainer {
  /** `<runtime>://<id>`. Each start has a different id. */
  readonly id: string
  readonly imageId: string
  /** Time in milliseconds since the epoch. */
  readonly startedAt: number
  /** Number of earlier starts, if the runtime knows it. */
  readonly restarts?: number
}

/**
 * Why a container does not start. The kubelet shows this reason in the status of the waiting container, and tries
 * again.
 */
export class ContainerStartError extends Error {
  override readonly name = 'ContainerStartError'
  /** A reason such as `ErrImagePull`, `CreateContainerError` or `RunContainerError`. */
  readonly reason: string

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Runs the containers of a node: a real container runtime, or a runtime that only records them. */
export interface PodRuntime {
  /**
   * Creates the resources that a pod's containers share. A second call for the same pod returns the same result.
   * @throws {ContainerStartError}
   */
  startPod(pod: Pod, node: NodePlace): Promise<{ podIP: string }>
  /**
   * Starts a container. A container that already runs keeps running, and gets the new observer, so that a restarted
   * kubelet finds its containers.
   * @throws {ContainerStartError}
   */
  start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer>
  /** Ends a container, by force after `graceSeconds`. Resolves when it has ended and the observer was called. */
  stop(pod: Pod, container: Container, graceSeconds: number): Promise<void>
  /** Frees the resources that the containers share. Call this after all containers have ended. */
  stopPod(pod: Pod): Promise<void>
}

/** The node of a pod. */
export interface NodePlace {
  readonly name: string
  readonly address: string
  /** The node's own block of 256 IPv4 addresses, such as `10.1.2.0/24`. */
  readonly podCidr: string
}
