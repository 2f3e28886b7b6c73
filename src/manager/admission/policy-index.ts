import { profileIdOf } from '../../../actors/policy/policy-id.ts'
import type { Labels } from '../../api/label-selector.ts'
import { targetKinds } from '../../api/schema/policy.ts'
import type { AnyPolicy, TargetKind } from '../../api/types.ts'
import { type IndexedPolicy, indexedPolicy, type NameOf, policyKey } from './indexed-policy.ts'
import { TargetBuckets } from './target-buckets.ts'

/** A workload, as far as targets are concerned. */
export interface Workload {
  kind: TargetKind
  namespace: string
  name: string
  labels: Labels
}

/**
 * The targets of all policies, found by workload at a cost that does not grow with their number. When several match, a
 * cluster policy comes before a namespaced one, then the oldest, then the one whose name comes first.
 */
export class PolicyIndex {
  #policies = new Map<string, IndexedPolicy>()
  #scopes = new Map<string, TargetBuckets>()
  #byProfile = new Map<string, Set<IndexedPolicy>>()
  #nameOf: NameOf

  /** Without `nameOf` each policy has its first name, as if there were no other. */
  constructor(nameOf: NameOf = (id) => profileIdOf(id, 'varmor').name) {
    this.#nameOf = nameOf
  }

  get size(): number {
    return this.#policies.size
  }

  /** Adds, or replaces what is known under the same key. A policy that is being deleted confines nothing new any more. */
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

  /** `key` as `policyKey` makes it. */
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

  /** The policy behind a profile that a workload of this namespace names. */
  byProfile(profile: string, namespace: string): IndexedPolicy | undefined {
    for (const entry of this.#byProfile.get(profile) ?? [])
      if (entry.namespace === '' || entry.namespace === namespace) return entry
    return undefined
  }

  /** Cluster policies that certainly confine everything that the target of `policy` stands for. Looks at all of one kind. */
  shadowing(policy: AnyPolicy): IndexedPolicy[] {
    const entry = indexedPolicy(policy, this.#nameOf)
    if (entry === undefined || entry.kind === 'VarmorClusterPolicy') return []
    return this.#wider(entry, entry.targetKind)
  }

  /** Cluster policies for what makes pods, if it has the labels that `policy` wants of pods: the pods stay in these. */
  shadowingByMakers(policy: AnyPolicy): IndexedPolicy[] {
    const entry = indexedPolicy(policy, this.#nameOf)
    if (entry === undefined || entry.kind === 'VarmorClusterPolicy' || entry.targetKind !== 'Pod') return []
    // What makes a pod has another name than the pod.
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

// No namespace has a slash in it, and the cluster's is empty.
const scopeOf = (namespace: string, kind: TargetKind): string => `${namespace}/${kind}`
