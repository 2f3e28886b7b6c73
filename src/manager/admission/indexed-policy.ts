import { keyOfPolicy } from '../../../actors/policy/policy-id.ts'
import type { PolicyId } from '../../../actors/ports.ts'
import { type Enforcer, parseEnforcers } from '../../api/enforcer.ts'
import { CompiledSelector } from '../../api/label-selector.ts'
import { targetKinds } from '../../api/schema/policy.ts'
import type { AnyPolicy, PolicyMode, TargetKind } from '../../api/types.ts'

/** The name of a policy's profile. */
export type NameOf = (id: PolicyId) => string

/** The parts of a policy that admission uses. */
export interface IndexedPolicy {
  /** `VarmorPolicy/<namespace>/<name>` or `VarmorClusterPolicy//<name>`. */
  readonly key: string
  readonly kind: 'VarmorPolicy' | 'VarmorClusterPolicy'
  /** Empty for a cluster policy. */
  readonly namespace: string
  readonly name: string
  readonly createdAt: number
  readonly profile: string
  readonly enforcers: readonly Enforcer[]
  readonly mode: PolicyMode
  readonly targetKind: TargetKind
  readonly targetName: string | undefined
  readonly selector: CompiledSelector | undefined
  /** `spec.target.containers`; empty means all containers. */
  readonly containers: readonly string[]
}

export const policyId = (policy: Pick<AnyPolicy, 'kind' | 'metadata'>): PolicyId => ({
  kind: policy.kind,
  namespace: namespaceOf(policy),
  name: policy.metadata.name,
})

/** The same key as that of the policy's actors. */
export const policyKey = (policy: Pick<AnyPolicy, 'kind' | 'metadata'>): string => keyOfPolicy(policyId(policy))

/** Empty for a cluster policy. */
const namespaceOf = ({ kind, metadata }: Pick<AnyPolicy, 'kind' | 'metadata'>): string =>
  kind === 'VarmorClusterPolicy' ? '' : (metadata.namespace ?? 'default')

/**
 * Undefined if the policy cannot confine workloads: it is being deleted, or its target or enforcers are invalid. The
 * API server can store an invalid policy if it does not call the webhook; the policy's status reports the errors.
 */
export function indexedPolicy(policy: AnyPolicy, nameOf: NameOf): IndexedPolicy | undefined {
  const { kind, metadata, spec } = policy
  const target = spec?.target
  const enforcer: unknown = spec?.policy?.enforcer
  const parsed = parseEnforcers(typeof enforcer === 'string' ? enforcer : '')
  if (metadata.deletionTimestamp !== undefined || target === undefined || !parsed.ok) return undefined
  if (!targetKinds.includes(target.kind) || !target.name === (target.selector === undefined)) return undefined
  return {
    key: policyKey(policy),
    kind,
    namespace: namespaceOf(policy),
    name: metadata.name,
    createdAt: timeOf(metadata.creationTimestamp),
    profile: nameOf(policyId(policy)),
    enforcers: parsed.enforcers,
    mode: spec.policy.mode,
    targetKind: target.kind,
    targetName: target.name || undefined,
    selector: target.selector === undefined ? undefined : new CompiledSelector(target.selector),
    containers: target.containers ?? [],
  }
}

/** A policy without a time is not stored yet, so it counts as the newest. */
function timeOf(timestamp: unknown): number {
  const time = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time
}

/** Orders two policies of one scope that match the same workload: the older one first, then by name. */
export function byPrecedence(one: IndexedPolicy, other: IndexedPolicy): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? -1 : 1
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0
}
