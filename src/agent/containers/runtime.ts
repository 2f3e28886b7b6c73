import type { ContainerInfo } from '../../audit/enrich/snapshot.ts'
import type { SeccompReports } from '../../profile/context.ts'

/** A container as the runtime describes it, running or not. */
export interface RuntimeContainer {
  id: string
  /** user-visible name, if the runtime has one; the container may have no pod */
  name?: string
  /** namespace of the runtime, if several are followed */
  namespace?: string
  image: string
  labels: Readonly<Record<string, string>>
  /** Annotations of the OCI spec. containerd's CRI plugin describes pod and container in them. */
  annotations: Readonly<Record<string, string>>
  /** AppArmor profile of the first process; empty if it has none; undefined if the runtime does not report it */
  appArmorProfile: string | undefined
  /** Rules of the seccomp filter (see seccompRules), if an enforcer needs them. */
  seccomp?: string
  /** See ContainerInfo. */
  refusedCalls?: string
  /** Why the runtime's answer does not describe the container. */
  unreadable?: string
}

export interface RuntimeTask {
  containerID: string
  /** pid of the first process, in the node's pid namespace */
  pid: number
  running: boolean
}

/** The data from which a pod's containers were created, as CRI returns it. */
export interface Sandbox {
  id: string
  name: string
  namespace: string
  uid: string
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
}

/**
 * A process that the runtime started in a running container, for example for `kubectl exec` or a probe. The process may
 * have ended already.
 */
export interface ExecStarted {
  type: 'exec-started'
  containerID: string
  /** pid in the node's pid namespace */
  pid: number
  /** Unix seconds at which the runtime reported the process */
  at: number
}

export type RuntimeEvent =
  /** The container exists and has not started yet. */
  | { type: 'created'; containerID: string }
  /** The runtime has removed the container. The container may never have started. */
  | { type: 'deleted'; containerID: string }
  | { type: 'started'; containerID: string; pid: number }
  /** The container's first process has ended. */
  | { type: 'ended'; containerID: string }
  | ExecStarted

/** The container runtime of the node. Every call has its own time limit, and rejects with a RuntimeError. */
export interface ContainerRuntime {
  /**
   * Passes events to `sink`. The first events may be missing, because the runtime does not report when the stream
   * starts. Rejects when the stream breaks or the signal is aborted.
   */
  subscribe(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never>
  /** Containers of pods, without sandboxes. */
  containers(): Promise<RuntimeContainer[]>
  /** Undefined if the container no longer exists, or is a sandbox. */
  container(id: string): Promise<RuntimeContainer | undefined>
  tasks(): Promise<RuntimeTask[]>
  /** All sandboxes, or only the sandbox with this id. */
  sandboxes(id?: string): Promise<Sandbox[]>
  /** Returns the seccomp flags that all runtimes of this node support. Absent if the runtime has no such query. */
  seccompReports?(): Promise<SeccompReports>
}

/** The runtime did not answer the call. A later call may succeed. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
  /** Name of the gRPC status, such as UNAVAILABLE. */
  readonly code: string

  constructor(code: string, what: string, options?: ErrorOptions) {
    super(`${what}: ${code}`, options)
    this.code = code
  }
}

/** A running container, with the data that enforcers need in addition to the fields of a line. */
export interface NodeContainer extends ContainerInfo {
  sandboxID: string
  /** Rules of its seccomp filter, if they are needed. */
  seccomp?: string
  /** All labels of the pod. The pipeline gets only the labels that lines contain. */
  podLabels: Readonly<Record<string, string>>
  podAnnotations: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
}

export type ContainerChange = { type: 'started'; container: NodeContainer } | { type: 'ended'; containerID: string }

/** A created container that is not known to have started. */
export interface CreatedContainer {
  containerID: string
  containerName: string
  podAnnotations: Readonly<Record<string, string>>
  /**
   * A process in the container's namespaces, as a pid of the node's pid namespace; undefined before the container has a
   * process.
   */
  initPid?: number | undefined
  /** Whether the container has started meanwhile. */
  runs?: boolean
}
