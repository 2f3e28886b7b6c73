import type { Container, Pod } from '../controllers/objects.ts'

export interface ContainerExit {
  readonly exitCode: number
  /** `Completed`, `Error`, `OOMKilled`, ... */
  readonly reason: string
  readonly message?: string
  /** Milliseconds since the epoch; left out: now. */
  readonly finishedAt?: number
}

/** Somebody has removed it, with all that could have been known of its end. */
export const goneExit: ContainerExit = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container was not found any more',
}

/** Called with what becomes of a container. */
export interface ContainerObserver {
  /** Whether it can serve. */
  ready(ready: boolean): void
  exited(exit: ContainerExit): void
}

export interface StartedContainer {
  /** `<runtime>://<id>`: another start has another. */
  readonly id: string
  readonly imageId: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** How often it was started before, where the runtime remembers. */
  readonly restarts?: number
}

/** Why a container does not start; the kubelet shows the reason as that of a waiting container and tries again. */
export class ContainerStartError extends Error {
  override readonly name = 'ContainerStartError'
  /** `ErrImagePull`, `CreateContainerError`, `RunContainerError`, ... */
  readonly reason: string

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** What runs the containers of a node: a real container runtime, or one that only keeps the books. */
export interface PodRuntime {
  /**
   * What the containers of a pod share. The same pod again gives the same answer.
   * @throws {ContainerStartError}
   */
  startPod(pod: Pod, node: NodePlace): Promise<{ podIP: string }>
  /**
   * Starts a container. One that runs already goes on, and the observer takes the place of the one before: so a kubelet
   * that was started anew finds its containers again.
   * @throws {ContainerStartError}
   */
  start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer>
  /** Ends a container, by force after so many seconds. Resolves when it has ended, after the observer was called. */
  stop(pod: Pod, container: Container, graceSeconds: number): Promise<void>
  /** Frees what the containers shared; all of them have ended. */
  stopPod(pod: Pod): Promise<void>
}

/** Where a pod runs. */
export interface NodePlace {
  readonly name: string
  readonly address: string
  /** A block of 256 IPv4 addresses that are the node's own: `10.1.2.0/24`. */
  readonly podCidr: string
}
