import type { Labels } from '../../api/label-selector.ts'
import type { NodeContainer, RuntimeContainer, Sandbox } from './runtime.ts'

/** The names and labels that decide which policy confines a container. */
export interface Confinable {
  containerName: string
  podName: string
  podNamespace: string
  podLabels: Labels
  podAnnotations: Labels
}

/** Decides which policies confine containers on a node without a webhook that annotates pods. */
export interface Confinement {
  /** Resolves when the policies are known. Before that, every container would count as unconfined. */
  readonly known: Promise<void>
  /** The annotations that the container's pod would have. */
  annotationsOf(container: Confinable): Labels
  /** The pod of a container, or a substitute for a container without a pod. */
  podOf(container: RuntimeContainer, sandbox: Sandbox | undefined): Sandbox
  /** Calls the listener when the confinement of containers may have changed. */
  subscribe(listener: () => void): void
  /**
   * Checks the running containers. If a policy cannot confine a container, the reason is in `problems` until the next
   * check.
   */
  check(containers: Iterable<NodeContainer>): void
  /** Returns why the node does not match its policies, each reason with its remedy. */
  problems(): readonly string[]
}
