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

// The interfaces between the manager's actors and the world. src/manager implements them with reflectors and the API
// client; tests implement them in memory. Each call that returns a promise has a timeout.

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
  /** For an init container, Always makes it a sidecar container. */
  restartPolicy?: string
  securityContext?: ProfileFields & { privileged?: boolean }
}

interface ProfileFields {
  appArmorProfile?: { type?: string; localhostProfile?: string }
  seccompProfile?: { type?: string; localhostProfile?: string }
}

/** The fields that a workload's template and its pods have in common, and that decide the confinement of containers. */
export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: { containers?: ContainerSpec[]; initContainers?: ContainerSpec[]; securityContext?: ProfileFields }
}

export type Pod = PodTemplate & { metadata: { name: string } }

/** The fields of apps/v1 workloads that vArmor uses; a full object has this type, too. */
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

/** Reads the last known state, which may lag behind writes. Callers share the objects and must not change them. */
export interface ControlPlaneStores {
  policy(id: PolicyId): AnyPolicy | undefined
  /**
   * Whether the namespace may have VarmorPolicies that this manager does not keep, because the namespace has too many.
   */
  lacksPolicies(namespace: string): boolean
  profile(namespace: string, name: string): ArmorProfile | undefined
  /** All workloads of a kind in one namespace; undefined: in all namespaces. */
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
 * Writes, and one read. Except for apply, a write sends the resourceVersion that was read, and the server answers
 * CONFLICT if it has a newer version. Each promise resolves to the server's object.
 * @throws {PortError}
 */
export interface ControlPlaneApi {
  setPolicyFinalizers(policy: AnyPolicy, finalizers: string[]): Promise<AnyPolicy>
  writePolicyStatus(policy: AnyPolicy, status: VarmorPolicyStatus): Promise<AnyPolicy>
  /** Server-side apply as `varmor-manager`, with force. */
  applyProfile(document: ProfileDocument): Promise<ArmorProfile>
  writeProfileStatus(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile>
  /** Writes the status with changed addresses, for which nodes wait. */
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
   * Calls `take` with each pod of the workload on the server, except ended pods and pods being deleted. Keeps no pods
   * in memory, because tenants decide their number and size.
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
  /** The policy's ArmorProfile had been deleted and was created again. */
  | 'ProfileRestored'
  | 'ProfileUpdated'
  | 'ProfileRefused'
  | 'NodeFailed'
  | 'RestartBegun'
  | 'RestartPaused'
  | 'RestartDone'
  /** An Event about an ArmorProfile that agents do not load. */
  | 'NotFromManager'

export interface PolicyEvent {
  /** The object that the Event is about. */
  policy: AnyPolicy | ArmorProfile
  type: 'Normal' | 'Warning'
  reason: EventReason
  note: string
}

/** Sends the Event without waiting; never throws. */
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
   * Calls `granted` once, after this function returns, when the caller may restart one workload. A caller has at most
   * one request: a new request replaces it.
   */
  ask(caller: string, namespace: string, granted: () => void): void
  /**
   * Reports a restart of the caller from before a crash of this manager. The restart continues at once, and takes the
   * next free turn.
   */
  resume(caller: string, namespace: string): void
  /** Returns the caller's turn, or withdraws its request. Does nothing if the caller has neither. */
  done(caller: string): void
}
