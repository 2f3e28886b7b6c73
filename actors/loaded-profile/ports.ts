import type { LeftOut } from '../../src/api/agent-report.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'

/** The content that one enforcer must load. */
export interface WantedContent {
  /**
   * The compiled content. Undefined: it was dropped, because it may be a thousand times as large as its source. Compile
   * it again before a load.
   */
  content?: string
  /** A digest: equal digests mean equal content. */
  digest: string
}

/** The profile of an ArmorProfile that this node must have. */
export interface WantedProfile {
  uid: string
  generation: number
  /** Name of the profile in the kernel and on disk. */
  profile: string
  /** The ArmorProfile is being deleted: remove all its profiles. */
  leaving: boolean
  /**
   * Enforcers that the ArmorProfile names, each with its content. Undefined content: the ArmorProfile has no content
   * for this enforcer. Undefined map: compile the contents for this node first.
   */
  contents: ReadonlyMap<KernelEnforcer, WantedContent | undefined> | undefined
  /** Rules of the profile that this node does not enforce. */
  leftOut?: readonly LeftOut[]
  /**
   * Permanent reason not to load the ArmorProfile: its profile name is taken, or its spec has fields that this agent
   * does not know. Loaded profiles stay.
   */
  conflict?: string
  /** Why the ArmorProfile cannot come from a manager: do not load or unload anything for it. */
  strange?: string
}

/** Status of one ArmorProfile on this node. */
export interface ProfileStatus {
  /** `namespace/name` of the ArmorProfile. */
  key: string
  uid: string
  generation: number
  state: 'loaded' | 'failed' | 'unloaded'
  /** Enforcers that have loaded the profile. */
  enforcers: readonly KernelEnforcer[]
  /** Enforcers that the ArmorProfile names but this node lacks. */
  absent?: readonly KernelEnforcer[]
  /** The failure, or the reason not to load the profile. */
  message?: string
  /** Rules of the loaded profile that this node does not enforce. */
  leftOut?: readonly LeftOut[]
  /** The failure is temporary and a retry follows soon; neither the profile nor the node's software caused it. */
  passing?: boolean
}

/** One enforcer, as the listings use it. Its methods reject with a LoadFailure. */
export interface Loader {
  /** @param tenant the owner of the profile: tenants take turns when loads queue */
  load(name: string, content: string, tenant: string): Promise<void>
  /** @param needed whether the profile must stay after all; called again if other loads run first */
  unload(name: string, needed?: () => Promise<boolean>): Promise<void>
  /** Replaces the profile by a profile that allows all. @returns its digest */
  free(name: string): Promise<string>
  list(): Promise<ReadonlyMap<string, string>>
}

/** A failure of an enforcer. Any other error is a bug, and makes the actor fail. */
export interface LoadFailure extends Error {
  readonly retryable: boolean
  /** The node lacks the enforcer. */
  readonly absent?: boolean
  /** The reason in one line, for users. */
  readonly reason: string
}

export function isLoadFailure(error: unknown): error is LoadFailure {
  return error instanceof Error && typeof (error as Partial<LoadFailure>).retryable === 'boolean' && 'reason' in error
}
