import type { LeftOut } from '../../src/api/agent-report.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'

/** What one enforcer is to load. */
export interface WantedContent {
  /** Undefined for one that is compiled again when it has to be loaded: it may be a thousand times what that is compiled from. */
  content?: string
  /** Equal for equal content only. */
  digest: string
}

/** What this node is to hold of one ArmorProfile. */
export interface WantedProfile {
  uid: string
  generation: number
  /** Name of the profile in the kernel and on the disk. */
  profile: string
  /** It is being deleted: nothing of it is to stay. */
  leaving: boolean
  /**
   * Enforcers that the ArmorProfile names, each with its content; undefined where the ArmorProfile has none for it. Undefined itself:
   * they are to be compiled for this node first.
   */
  contents: ReadonlyMap<KernelEnforcer, WantedContent | undefined> | undefined
  /** What this node does not enforce of it. */
  leftOut?: readonly LeftOut[]
  /**
   * Why it cannot be loaded, whatever the node can do: the name of its profile is another ArmorProfile's, or it says what this agent
   * does not know. What is loaded stays.
   */
  conflict?: string
  /** Why no manager can have made the ArmorProfile: nothing is loaded or unloaded for it. */
  strange?: string
}

/** How one ArmorProfile stands on this node. */
export interface ProfileStanding {
  /** `namespace/name` of the ArmorProfile. */
  key: string
  uid: string
  generation: number
  state: 'loaded' | 'failed' | 'unloaded'
  /** Enforcers that hold it. */
  enforcers: readonly KernelEnforcer[]
  /** Enforcers that should, and that this node lacks. */
  absent?: readonly KernelEnforcer[]
  /** Why it failed, or what stands in the way. */
  message?: string
  /** What this node does not enforce of what it holds. */
  leftOut?: readonly LeftOut[]
  /** A failure that passes by itself, so that it is tried again soon; not one of the profile or of the node's equipment. */
  passing?: boolean
}

/** One enforcer as the listings see it. It rejects with a LoadFailure. */
export interface Loader {
  /** @param tenant whose it is: where loads wait for each other, tenants take turns */
  load(name: string, content: string, tenant: string): Promise<void>
  /** @param needed whether it must stay after all; asked again where others come first */
  unload(name: string, needed?: () => Promise<boolean>): Promise<void>
  /** @returns the digest of what allows all, which is in its place now */
  free(name: string): Promise<string>
  list(): Promise<ReadonlyMap<string, string>>
}

/** What an enforcer could not do. Any other error is a bug, and the actor fails with it. */
export interface LoadFailure extends Error {
  readonly retryable: boolean
  /** The node lacks the enforcer. */
  readonly absent?: boolean
  /** One line for people. */
  readonly reason: string
}

export function isLoadFailure(error: unknown): error is LoadFailure {
  return error instanceof Error && typeof (error as Partial<LoadFailure>).retryable === 'boolean' && 'reason' in error
}
