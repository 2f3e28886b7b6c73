import type { ContainerInfo } from '../../audit/enrich/snapshot.ts'
import type { SeccompReports } from '../../profile/context.ts'

/** A container as the runtime has it, running or not. */
export interface RuntimeContainer {
  id: string
  /** What people call it, where the runtime knows that and there may be no pod. */
  name?: string
  /** The runtime's own, where it has several that are looked at. */
  namespace?: string
  image: string
  labels: Readonly<Record<string, string>>
  /** Of its OCI spec; containerd's CRI part says there what it made the container from. */
  annotations: Readonly<Record<string, string>>
  /** The AppArmor profile of its first process, empty for none; undefined where the runtime does not say. */
  appArmorProfile: string | undefined
  /** What its seccomp filter does (see seccompRules), where that is looked at. */
  seccomp?: string
  /** See ContainerInfo. */
  refusedCalls?: string
  /** Why the runtime's answer about it does not say what runs in it. */
  unreadable?: string
}

export interface RuntimeTask {
  containerID: string
  /** Of the first process, in the node's pid namespace. */
  pid: number
  running: boolean
}

/** What the pod of containers was made from, as CRI has it. */
export interface Sandbox {
  id: string
  name: string
  namespace: string
  uid: string
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
}

/**
 * A process that the runtime put into a running container, as `kubectl exec` and probes do. It may have ended by now.
 */
export interface ExecStarted {
  type: 'exec-started'
  containerID: string
  /** In the node's pid namespace. */
  pid: number
  /** Unix seconds at which the runtime said so. */
  at: number
}

export type RuntimeEvent =
  /** It is there, and has not been started yet. */
  | { type: 'created'; containerID: string }
  /** The runtime has removed the container, whether it was started or not. */
  | { type: 'deleted'; containerID: string }
  | { type: 'started'; containerID: string; pid: number }
  /** Its first process ended. */
  | { type: 'ended'; containerID: string }
  | ExecStarted

/** The container runtime of the node. Every call has a time limit of its own, and rejects with a RuntimeError. */
export interface ContainerRuntime {
  /**
   * Hands on events from now on, or from soon: the runtime does not say when the stream starts. Rejects when the
   * stream breaks or the signal is aborted.
   */
  subscribe(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never>
  /** Containers of pods, without the sandboxes' own. */
  containers(): Promise<RuntimeContainer[]>
  /** Undefined for one that is gone, or is a sandbox. */
  container(id: string): Promise<RuntimeContainer | undefined>
  tasks(): Promise<RuntimeTask[]>
  /** All, or that of the id. */
  sandboxes(id?: string): Promise<Sandbox[]>
  /**
   * Which flags a seccomp profile may have for each runtime that starts containers here. Left out: that cannot be
   * asked.
   */
  seccompReports?(): Promise<SeccompReports>
}

/** The runtime could not be asked. It may be well again later. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
  /** Name of the gRPC status, such as UNAVAILABLE. */
  readonly code: string

  constructor(code: string, what: string, options?: ErrorOptions) {
    super(`${what}: ${code}`, options)
    this.code = code
  }
}

/** A running container of a pod, with what enforcers want to know beyond what a line says. */
export interface NodeContainer extends ContainerInfo {
  sandboxID: string
  /** What its seccomp filter does, where that is looked at. */
  seccomp?: string
  /** All of them; the pipeline gets those that lines have. */
  podLabels: Readonly<Record<string, string>>
  podAnnotations: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
}

export type ContainerChange = { type: 'started'; container: NodeContainer } | { type: 'ended'; containerID: string }

/** A container that was made and has not been started, as far as that is known. */
export interface CreatedContainer {
  containerID: string
  containerName: string
  podAnnotations: Readonly<Record<string, string>>
  /** A process in its namespaces, in the node's pid namespace; undefined where there is none yet. */
  initPid?: number | undefined
  /** It has been started meanwhile. */
  runs?: boolean
}
