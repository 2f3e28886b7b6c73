import type { Container, Pod } from '../controllers/objects.ts'

export interface ContainerExit {
  readonly exitCode: number
  /** `Completed`, `Error`, `OOMKilled`, … */
  readonly reason: string
  readonly message?: string
  /** Milliseconds since the epoch; default: now. */
  readonly finishedAt?: number
}

/** The exit of a container that was removed together with all information about its end. */
export const goneExit: ContainerExit = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container is no longer there',
}

/** Called with a container's state changes. */
export interface ContainerObserver {
  /** Called with whether the container can serve. */
  ready(ready: boolean): void
  exited(exit: ContainerExit): void
}

export interface StartedContainer {
  /** `<runtime>://<id>`, different for each start. */
  readonly id: string
  readonly imageId: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Number of earlier starts, if the runtime remembers. */
  readonly restarts?: number
}

/** Why a container does not start. The kubelet shows the reason as that of a waiting container, and tries again. */
export class ContainerStartError extends Error {
  override readonly name = 'ContainerStartError'
  /** `ErrImagePull`, `CreateContainerError`, `RunContainerError`, … */
  readonly reason: string

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Runs a node's containers: a real container runtime, or one that only records them. */
export interface PodRuntime {
  /**
   * Creates what a pod's containers share. Another call for the same pod gives the same answer.
   * @throws {ContainerStartError}
   */
  startPod(pod: Pod, node: NodePlace): Promise<{ podIP: string }>
  /**
   * Starts a container. If it already runs, it continues with the new observer, so that a restarted kubelet finds its
   * containers.
   * @throws {ContainerStartError}
   */
  start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer>
  /** Ends a container, by force after `graceSeconds`. Resolves when it has ended and the observer was called. */
  stop(pod: Pod, container: Container, graceSeconds: number): Promise<void>
  /** Frees what the containers share. Call it after all have ended. */
  stopPod(pod: Pod): Promise<void>
}

/** The node of a pod. */
export interface NodePlace {
  readonly name: string
  readonly address: string
  /** The node's own block of 256 IPv4 addresses: `10.1.2.0/24`. */
  readonly podCidr: string
}
