import { keyOfPolicy } from '../../../actors/policy/policy-id.ts'
import type { PolicyId } from '../../../actors/ports.ts'
import { type Enforcer, parseEnforcers } from '../../api/enforcer.ts'
import { CompiledSelector } from '../../api/label-selector.ts'
import { targetKinds } from '../../api/schema/policy.ts'
import type { AnyPolicy, PolicyMode, TargetKind } from '../../api/types.ts'

/** What the profile of a policy is called. */
export type NameOf = (id: PolicyId) => string

/** What admission needs to know of a policy. */
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
  /** Names of the containers; empty: what `spec.target.containers` says of an empty list. */
  readonly containers: readonly string[]
}

export const policyId = (policy: Pick<AnyPolicy, 'kind' | 'metadata'>): PolicyId => ({
  kind: policy.kind,
  namespace: namespaceOf(policy),
  name: policy.metadata.name,
})

/** The key that the policy's actors have, too. */
export const policyKey = (policy: Pick<AnyPolicy, 'kind' | 'metadata'>): string => keyOfPolicy(policyId(policy))

/** Empty for a cluster policy. */
const namespaceOf = ({ kind, metadata }: Pick<AnyPolicy, 'kind' | 'metadata'>): string =>
  kind === 'VarmorClusterPolicy' ? '' : (metadata.namespace ?? 'default')

/**
 * Undefined where the policy cannot confine anything: it is being deleted, or its target or its enforcers make no sense (it was
 * stored while no webhook validated; its own status says so). `nameOf`: what its profile is called.
 */
export function indexedPolicy(policy: AnyPolicy, nameOf: NameOf): IndexedPolicy | undefined {
  const { kind, metadata, spec } = policy
  const target = spec?.target
  const parsed = parseEnforcers(String(spec?.policy?.enforcer ?? ''))
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

/** One without a time was not stored yet, so it is the youngest. */
function timeOf(timestamp: unknown): number {
  const time = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time
}

/** Which of two policies of one scope confines what both match: the older one, then the one whose name comes first. */
export function byPrecedence(one: IndexedPolicy, other: IndexedPolicy): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? -1 : 1
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0
}
