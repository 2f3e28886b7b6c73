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

// What the manager's actors need of the world. The composition in src/manager implements it over reflectors and the API
// client; tests implement it in memory. Nothing here waits for ever: every call that returns a promise has a time limit.

export type { AnyPolicy }

/** A policy by what its actor is called after; `namespace` is empty for a cluster policy. */
export interface PolicyId {
  kind: AnyPolicy['kind']
  namespace: string
  name: string
}

export type WorkloadKind = Exclude<TargetKind, 'Pod'>

export interface ContainerSpec {
  name: string
  /** Of an init container: Always makes it a sidecar. */
  restartPolicy?: string
  securityContext?: ProfileFields & { privileged?: boolean }
}

interface ProfileFields {
  appArmorProfile?: { type?: string; localhostProfile?: string }
  seccompProfile?: { type?: string; localhostProfile?: string }
}

/** What the template of a workload and a pod made from it have in common, as far as it matters what confines the containers. */
export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: { containers?: ContainerSpec[]; initContainers?: ContainerSpec[]; securityContext?: ProfileFields }
}

export type Pod = PodTemplate & { metadata: { name: string } }

/** The fields of apps/v1 workloads that are used; a whole object will do. */
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

/** Reads are of the last state that is known here, and may lag behind what was written. Objects are shared, and never changed. */
export interface ControlPlaneStores {
  policy(id: PolicyId): AnyPolicy | undefined
  /** Whether the namespace may have VarmorPolicies that this manager does not keep, as there are too many. */
  lacksPolicies(namespace: string): boolean
  profile(namespace: string, name: string): ArmorProfile | undefined
  /** All workloads of a kind, of one namespace or, when that is undefined, of all. */
  workloads(kind: WorkloadKind, namespace: string | undefined): Iterable<Workload>
}

/** What server-side apply sends: the fields that are the manager's. */
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
 * Writes, and one read. All but apply hold only for the version that was read: the object's resourceVersion goes along, and a newer one at the
 * server is a CONFLICT. They resolve to what the server holds then.
 * @throws {PortError}
 */
export interface ControlPlaneApi {
  setPolicyFinalizers(policy: AnyPolicy, finalizers: string[]): Promise<AnyPolicy>
  writePolicyStatus(policy: AnyPolicy, status: VarmorPolicyStatus): Promise<AnyPolicy>
  /** Server-side apply as `varmor-manager`, with force. */
  applyProfile(document: ProfileDocument): Promise<ArmorProfile>
  writeProfileStatus(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile>
  /** The same, with other addresses in it, for which nodes wait. */
  writeEgress(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile>
  setProfileFinalizers(profile: ArmorProfile, finalizers: string[]): Promise<void>
  /** Says of one from before that a manager made it: agents load no other. */
  markProfile(profile: ArmorProfile): Promise<ArmorProfile>
  /** Asks for deletion of just this object, by uid. Resolves to what waits for its finalizers; undefined where it is gone. */
  deleteProfile(profile: ArmorProfile): Promise<ArmorProfile | undefined>
  /** A JSON patch; the resourceVersion of `workload` is its precondition. */
  patchWorkload(workload: Workload, operations: PatchOperation[]): Promise<Workload>
  /**
   * Hands on each pod of the workload as the server holds them now, without those that have ended or are being deleted. Nothing is kept of
   * one: how many there are and how large is for tenants to say.
   */
  eachPod(workload: Workload, take: (pod: Pod) => void): Promise<void>
}

/**
 * CONFLICT: read again, try again. NOT_FOUND: the object is not there (any more). REFUSED: the server will not take this, however
 * often it is asked (too large, invalid, forbidden). UNAVAILABLE: anything that passes (no connection, 429, 5xx, not the leader).
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

/** The Kubernetes Events that a policy gets. */
export type EventReason =
  /** Somebody had deleted it. */
  | 'ProfileRestored'
  | 'ProfileUpdated'
  | 'ProfileRefused'
  | 'NodeFailed'
  | 'RestartBegun'
  | 'RestartPaused'
  | 'RestartDone'
  /** Of an ArmorProfile: agents do not load it. */
  | 'NotFromManager'

export interface PolicyEvent {
  /** What it is about. */
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

/** Gives restarts their turn: at most so many in flight, and so many a minute, per namespace and overall. */
export interface RestartLimiter {
  /** Calls back once, never before this returns, when the caller may restart one workload. One request a caller: another one withdraws the last. */
  ask(caller: string, namespace: string, granted: () => void): void
  /** The caller has one in flight, from before a crash of this manager: it counts as soon as there is a place, and goes on meanwhile. */
  resume(caller: string, namespace: string): void
  /** Gives the turn back, or withdraws the request. Nothing happens without either. */
  done(caller: string): void
}
