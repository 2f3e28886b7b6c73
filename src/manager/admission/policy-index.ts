import { profileIdOf } from '../../../actors/policy/policy-id.ts'
import type { Labels } from '../../api/label-selector.ts'
import { targetKinds } from '../../api/schema/policy.ts'
import type { AnyPolicy, TargetKind } from '../../api/types.ts'
import { type IndexedPolicy, indexedPolicy, type NameOf, policyKey } from './indexed-policy.ts'
import { TargetBuckets } from './target-buckets.ts'

/** The facts about a workload that decide which policy selects it. */
export interface Workload {
  kind: TargetKind
  namespace: string
  name: string
  labels: Labels
}

/**
 * Finds the policy of a workload, at a cost that does not depend on the number of policies. If several policies match,
 * a cluster policy has priority over a namespaced policy, then the oldest policy, then the first by name.
 */
export class PolicyIndex {
  #policies = new Map<string, IndexedPolicy>()
  #scopes = new Map<string, TargetBuckets>()
  #byProfile = new Map<string, Set<IndexedPolicy>>()
  #nameOf: NameOf

  /**
   * @param nameOf returns the name of a policy's profile. Default: the preferred name, which a policy gets unless
   * another policy has it
   */
  constructor(nameOf: NameOf = (id) => profileIdOf(id, 'varmor').name) {
    this.#nameOf = nameOf
  }

  get size(): number {
    return this.#policies.size
  }

  /**
   * Adds a policy, or replaces the policy with the same key. A policy that is being deleted does not confine new
   * workloads.
   */
  set(policy: AnyPolicy): void {
    this.delete(policyKey(policy))
    const entry = indexedPolicy(policy, this.#nameOf)
    if (entry === undefined) return
    this.#policies.set(entry.key, entry)
    const scope = scopeOf(entry.namespace, entry.targetKind)
    const buckets = this.#scopes.get(scope) ?? new TargetBuckets()
    this.#scopes.set(scope, buckets)
    buckets.add(entry)
    const same = this.#byProfile.get(entry.profile)
    if (same === undefined) this.#byProfile.set(entry.profile, new Set([entry]))
    else same.add(entry)
  }

  /** `key` as from `policyKey`. */
  delete(key: string): void {
    const entry = this.#policies.get(key)
    if (entry === undefined) return
    this.#policies.delete(key)
    const scope = scopeOf(entry.namespace, entry.targetKind)
    const buckets = this.#scopes.get(scope)!
    buckets.remove(entry)
    if (buckets.size === 0) this.#scopes.delete(scope)
    const same = this.#byProfile.get(entry.profile)!
    same.delete(entry)
    if (same.size === 0) this.#byProfile.delete(entry.profile)
  }

  find({ kind, namespace, name, labels }: Workload): IndexedPolicy | undefined {
    return (
      this.#scopes.get(scopeOf('', kind))?.find(name, labels) ??
      this.#scopes.get(scopeOf(namespace, kind))?.find(name, labels)
    )
  }

  /** The policy that created a profile. The profile is named by a workload of this namespace. */
  byProfile(profile: string, namespace: string): IndexedPolicy | undefined {
    for (const entry of this.#byProfile.get(profile) ?? [])
      if (entry.namespace === '' || entry.namespace === namespace) return entry
    return undefined
  }

  /**
   * Cluster policies that select all workloads of `policy`, so that `policy` has no effect. Compares `policy` with all
   * cluster policies for its kind of workload.
   */
  shadowing(policy: AnyPolicy): IndexedPolicy[] {
    const entry = indexedPolicy(policy, this.#nameOf)
    if (entry === undefined || entry.kind === 'VarmorClusterPolicy') return []
    return this.#wider(entry, entry.targetKind)
  }

  /**
   * For a policy that selects pods: cluster policies that select the creators of such pods, such as Deployments with
   * the same labels. The pods keep the profiles of these cluster policies.
   */
  shadowingByMakers(policy: AnyPolicy): IndexedPolicy[] {
    const entry = indexedPolicy(policy, this.#nameOf)
    if (entry === undefined || entry.kind === 'VarmorClusterPolicy' || entry.targetKind !== 'Pod') return []
    // A pod's creator has another name than the pod.
    if (entry.selector === undefined) return []
    return targetKinds.flatMap((kind) => (kind === 'Pod' ? [] : this.#wider(entry, kind)))
  }

  #wider({ selector, targetName }: IndexedPolicy, kind: TargetKind): IndexedPolicy[] {
    return [...(this.#scopes.get(scopeOf('', kind))?.values() ?? [])].filter((other) =>
      targetName !== undefined
        ? other.targetName === targetName
        : other.selector !== undefined && selector!.implies(other.selector),
    )
  }
}

// A namespace has no slash in its name; a cluster policy's scope is empty.
const scopeOf = (namespace: string, kind: TargetKind): string => `${namespace}/${kind}`
