import type { Compilers } from '../../actors/compiler/ports.ts'
import type { Logger } from '../base/logger.ts'
import type { RequestObserver } from '../kube/caller.ts'
import type { AgentSource } from './agent.ts'
import type { Confinement } from './containers/confinement.ts'
import type { ContainerRuntime } from './containers/runtime.ts'
import type { SendModel } from './modeller/courier.ts'

/** What a source may use of its agent. */
export interface SourceParts {
  compilers: Compilers
  /** Of calls to the API server, for metrics. */
  apiObserver?: RequestObserver
}

/** What stands behind a node: a cluster, or a folder of policies. */
export interface PolicyBackend {
  /** Where vArmor is installed. */
  readonly namespace: string
  /** Whether policies of different namespaces are of people who are not to be in each other's way. */
  readonly hasTenants: boolean
  /** The containers that are protected, and that violations name. */
  readonly runtime: ContainerRuntime & { close(): void }
  /** Where no pods say what confines containers. */
  readonly confinement?: Confinement
  /** Where ArmorProfiles come from. */
  source(parts: SourceParts): AgentSource
  /** Where what was recorded of workloads goes; left out: nothing is recorded. */
  readonly models?: { managers: readonly string[]; send: SendModel }
  /** The agent has started. Left out: that matters to nothing. */
  begin?(logger: Logger): void
  /** Whether vArmor leaves for good. @param doubt called with why that is not known; then it does not */
  uninstalled(doubt: (reason: string) => void): Promise<boolean>
  close(): Promise<void>
}
