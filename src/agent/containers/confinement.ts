import type { Labels } from '../../api/label-selector.ts'
import type { NodeContainer, RuntimeContainer, Sandbox } from './runtime.ts'

/** What decides what confines a container. */
export interface Confinable {
  containerName: string
  podName: string
  podNamespace: string
  podLabels: Labels
  podAnnotations: Labels
}

/** Says what confines containers where no webhook writes it into pods. */
export interface Confinement {
  /** Resolves when it can say that: until then every container would be taken for one that is free. */
  readonly known: Promise<void>
  /** The annotations that the pod of the container would have. */
  annotationsOf(container: Confinable): Labels
  /** What stands for the pod of a container, which may have one. */
  podOf(container: RuntimeContainer, sandbox: Sandbox | undefined): Sandbox
  /** Calls back when containers may be confined otherwise from now on. */
  subscribe(listener: () => void): void
  /** These run. What keeps them from being confined as policies say is a problem from now on. */
  look(containers: Iterable<NodeContainer>): void
  /** What keeps the node from being as the policies want it, each with its remedy. */
  problems(): readonly string[]
}
