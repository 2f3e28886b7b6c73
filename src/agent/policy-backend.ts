import type { Compilers } from '../../actors/compiler/ports.ts'
import type { Logger } from '../base/logger.ts'
import type { RequestObserver } from '../kube/caller.ts'
import type { AgentSource } from './agent.ts'
import type { Confinement } from './containers/confinement.ts'
import type { ContainerRuntime } from './containers/runtime.ts'
import type { SendModel } from './modeller/courier.ts'

/** Services of the agent that a source of policies may use. */
export interface SourceParts {
  compilers: Compilers
  /** Observes calls to the API server, for metrics. */
  apiObserver?: RequestObserver
}

/** The environment of a node agent: a cluster, or a folder of policies. */
export interface PolicyBackend {
  /** Namespace in which vArmor is installed. */
  readonly namespace: string
  /** Whether namespaces belong to different tenants, which must not block each other. */
  readonly hasTenants: boolean
  /** The runtime whose containers are protected and named in violations. */
  readonly runtime: ContainerRuntime & { close(): void }
  /** Decides which policies confine containers, if pods have no annotations of vArmor. */
  readonly confinement?: Confinement
  /** Creates the source of ArmorProfiles. */
  source(parts: SourceParts): AgentSource
  /** The managers that receive recordings; undefined if nothing is recorded. */
  readonly models?: { managers: readonly string[]; send: SendModel }
  /** Called when the agent has started. */
  begin?(logger: Logger): void
  /**
   * Whether vArmor is being uninstalled.
   * @param doubt called with the reason if this is unknown; the result is then false
   */
  uninstalled(doubt: (reason: string) => void): Promise<boolean>
  close(): Promise<void>
}
