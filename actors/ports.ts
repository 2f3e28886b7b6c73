import type {
  AnyPolicy,
  ArmorProfile,
  ArmorProfileSpec,
  ArmorProfileStatus,
  LabelSelector,
  TargetKind,
  VarmorPolicyStatus,
} from '../src/api/types.ts'
import type { PatchOperation } from '../src/base/json-patch.ts'

// The manager's actors' view of the world. src/manager implements it with reflectors and the API client; tests
// implement it in memory. Each call that returns a promise has a timeout.

export type { AnyPolicy }

/** Identifies a policy and its actor; `namespace` is empty for a cluster policy. */
export interface PolicyId {
  kind: AnyPolicy['kind']
  namespace: string
  name: string
}

export type WorkloadKind = Exclude<TargetKind, 'Pod'>

export interface ContainerSpec {
  name: string
  /** For an init container, Always makes it a sidecar. */
  restartPolicy?: string
  securityContext?: ProfileFields & { privileged?: boolean }
}

interface ProfileFields {
  appArmorProfile?: { type?: string; localhostProfile?: string }
  seccompProfile?: { type?: string; localhostProfile?: string }
}

/** The common part of a workload's template and its pods that decides the confinement of containers. */
export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: { containers?: ContainerSpec[]; initContainers?: ContainerSpec[]; securityContext?: ProfileFields }
}

export type Pod = PodTemplate & { metadata: { name: string } }

/** The fields of apps/v1 workloads that are used; a full object fits, too. */
export interface Workload {
  kind: WorkloadKind
  metadata: {
    name: string
    namespace: string
    uid: string
    resourceVersion: string
    generation?: number
    creationTimestamp?: string
    deletionTimestamp?: string
    labels?: Record<string, string>
  }
  spec: {
    replicas?: number
    paused?: boolean
    selector?: LabelSelector
    template: PodTemplate
    updateStrategy?: { type?: string; rollingUpdate?: { partition?: number } }
  }
  status?: {
    observedGeneration?: number
    replicas?: number
    updatedReplicas?: number
    availableReplicas?: number
    desiredNumberScheduled?: number
    updatedNumberScheduled?: number
    numberAvailable?: number
  }
}

/** Reads the last known state, which may lag behind writes. Objects are shared and never changed. */
export interface ControlPlaneStores {
  policy(id: PolicyId): AnyPolicy | undefined
  /** Whether the namespace may have VarmorPolicies that this manager does not keep, because there are too many. */
  lacksPolicies(namespace: string): boolean
  profile(namespace: string, name: string): ArmorProfile | undefined
  /** All workloads of a kind, in one namespace or (undefined) in all. */
  workloads(kind: WorkloadKind, namespace: string | undefined): Iterable<Workload>
}

/** The body of server-side apply: the fields that the manager owns. */
export interface ProfileDocument {
  metadata: {
    name: string
    namespace: string
    labels?: Record<string, string>
    finalizers: string[]
    ownerReferences: OwnerReference[]
  }
  spec: ArmorProfileSpec
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller: boolean
}

/**
 * Writes, and one read. Except for apply, each write holds only for the version that was read: it sends the
 * resourceVersion, and the server answers CONFLICT if it has a newer one. Each resolves to the server's object.
 * @throws {PortError}
 */
export interface ControlPlaneApi {
  setPolicyFinalizers(policy: AnyPolicy, finalizers: string[]): Promise<AnyPolicy>
  writePolicyStatus(policy: AnyPolicy, status: VarmorPolicyStatus): Promise<AnyPolicy>
  /** Server-side apply as `varmor-manager`, with force. */
  applyProfile(document: ProfileDocument): Promise<ArmorProfile>
  writeProfileStatus(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile>
  /** Writes the status with changed addresses, which nodes wait for. */
  writeEgress(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile>
  setProfileFinalizers(profile: ArmorProfile, finalizers: string[]): Promise<void>
  /** Marks a profile of an earlier manager as made by a manager: agents do not load unmarked profiles. */
  markProfile(profile: ArmorProfile): Promise<ArmorProfile>
  /**
   * Deletes exactly this object, by uid. Resolves to the object that waits for its finalizers; undefined if it is gone.
   */
  deleteProfile(profile: ArmorProfile): Promise<ArmorProfile | undefined>
  /** A JSON patch; the resourceVersion of `workload` is its precondition. */
  patchWorkload(workload: Workload, operations: PatchOperation[]): Promise<Workload>
  /**
   * Calls `take` with each of the workload's pods on the server, except ended pods and pods being deleted. It keeps no
   * pods: tenants decide their number and size.
   */
  eachPod(workload: Workload, take: (pod: Pod) => void): Promise<void>
}

/**
 * CONFLICT: read again and retry. NOT_FOUND: the object does not exist. REFUSED: the server will never accept it (too
 * large, invalid, forbidden). UNAVAILABLE: a temporary failure (no connection, 429, 5xx, not the leader).
 */
export type PortErrorCode = 'CONFLICT' | 'NOT_FOUND' | 'REFUSED' | 'UNAVAILABLE'

export class PortError extends Error {
  readonly code: PortErrorCode

  constructor(code: PortErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PortError'
    this.code = code
  }
}

/** Kubernetes Events about a policy. */
export type EventReason =
  /** Its ArmorProfile had been deleted. */
  | 'ProfileRestored'
  | 'ProfileUpdated'
  | 'ProfileRefused'
  | 'NodeFailed'
  | 'RestartBegun'
  | 'RestartPaused'
  | 'RestartDone'
  /** About an ArmorProfile that agents do not load. */
  | 'NotFromManager'

export interface PolicyEvent {
  /** The object that the Event is about. */
  policy: AnyPolicy | ArmorProfile
  type: 'Normal' | 'Warning'
  reason: EventReason
  note: string
}

/** Never throws, never waits. */
export type RecordEvent = (event: PolicyEvent) => void

export type CounterName =
  | 'profile-applied'
  | 'policy-refused'
  | 'status-written'
  | 'egress-written'
  | 'api-error'
  | 'node-loaded'
  | 'node-failed'
  | 'workload-restarted'

/** Never throws. */
export type Count = (name: CounterName) => void

/** Limits restarts: a maximum in progress, and a maximum per minute, for each namespace and in all. */
export interface RestartLimiter {
  /**
   * Calls back once, after this returns, when the caller may restart one workload. A caller has one request: another
   * request replaces it.
   */
  ask(caller: string, namespace: string, granted: () => void): void
  /**
   * The caller has a restart in progress from before a crash of this manager: it counts once there is a free turn, and
   * continues meanwhile.
   */
  resume(caller: string, namespace: string): void
  /** Returns the turn, or withdraws the request. Without either, does nothing. */
  done(caller: string): void
}
