import type { Anchor, Labels } from '../../api/label-selector.ts'
import { byPrecedence, type IndexedPolicy } from './indexed-policy.ts'

/** Policies in order of priority. */
type Bucket = IndexedPolicy[]

/**
 * The policies of one scope (a namespace, or the cluster) for one kind of workload, in buckets by name, by `key=value`
 * label and by label key. Policies whose selector requires no label, such as an empty selector or only `NotIn`, are in
 * a bucket that is always searched.
 */
export class TargetBuckets {
  #buckets = new Map<string, Bucket>()
  /**
   * The buckets of each policy, by the policy's key. They cannot be computed again, because the choice depended on the
   * other policies at that time.
   */
  #places = new Map<string, readonly string[]>()

  get size(): number {
    return this.#places.size
  }

  add(policy: IndexedPolicy): void {
    const places = this.#placesFor(policy)
    this.#places.set(policy.key, places)
    for (const place of places) insert(this.#bucket(place), policy)
  }

  remove(policy: IndexedPolicy): void {
    for (const place of this.#places.get(policy.key) ?? []) {
      const bucket = this.#bucket(place)
      const at = bucket.indexOf(policy)
      if (at >= 0) bucket.splice(at, 1)
      if (bucket.length === 0) this.#buckets.delete(place)
    }
    this.#places.delete(policy.key)
  }

  /** The first matching policy. `name` is empty until the server has generated it. */
  find(name: string, labels: Labels): IndexedPolicy | undefined {
    let best = this.#buckets.get(unanchored)?.find((policy) => policy.selector!.matches(labels))
    const named = name === '' ? undefined : this.#buckets.get(namePlace(name))?.[0]
    if (named !== undefined) best = first(best, named)
    for (const [key, value] of Object.entries(labels)) {
      best = firstMatch(this.#buckets.get(valuePlace(key, value)), labels, best)
      best = firstMatch(this.#buckets.get(keyPlace(key)), labels, best)
    }
    return best
  }

  /** All policies, each once, unordered. */
  *values(): Iterable<IndexedPolicy> {
    const seen = new Set<string>()
    for (const bucket of this.#buckets.values())
      for (const policy of bucket) {
        if (!seen.has(policy.key)) yield policy
        seen.add(policy.key)
      }
  }

  /**
   * Chooses the required label whose buckets have the fewest policies, because a label that many policies share does
   * not narrow the search.
   */
  #placesFor(policy: IndexedPolicy): readonly string[] {
    if (policy.targetName !== undefined) return [namePlace(policy.targetName)]
    let best: readonly string[] = [unanchored]
    let least = Number.POSITIVE_INFINITY
    for (const anchor of policy.selector!.anchors()) {
      const places = placesOf(anchor)
      const crowd = places.reduce((sum, place) => sum + (this.#buckets.get(place)?.length ?? 0), 0)
      if (crowd >= least) continue
      best = places
      least = crowd
    }
    return best
  }

  #bucket(place: string): Bucket {
    const known = this.#buckets.get(place)
    if (known !== undefined) return known
    const bucket: Bucket = []
    this.#buckets.set(place, bucket)
    return bucket
  }
}

// A label key has no `=`, and each kind of place has its own prefix, so different places have different texts.
const unanchored = 'any:'
const namePlace = (name: string): string => `name:${name}`
const keyPlace = (key: string): string => `key:${key}`
const valuePlace = (key: string, value: string): string => `value:${key}=${value}`

function placesOf({ key, values }: Anchor): string[] {
  return values === undefined ? [keyPlace(key)] : [...values].map((value) => valuePlace(key, value))
}

function first(one: IndexedPolicy | undefined, other: IndexedPolicy): IndexedPolicy {
  return one === undefined || byPrecedence(other, one) < 0 ? other : one
}

function firstMatch(bucket: Bucket | undefined, labels: Labels, best: IndexedPolicy | undefined) {
  if (bucket === undefined) return best
  for (const policy of bucket) {
    // The bucket is in order of priority, so no later policy in it has priority over `best`.
    if (best !== undefined && byPrecedence(policy, best) >= 0) return best
    if (policy.selector!.matches(labels)) return policy
  }
  return best
}

function insert(bucket: Bucket, policy: IndexedPolicy): void {
  let low = 0
  let high = bucket.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (byPrecedence(bucket[middle]!, policy) <= 0) low = middle + 1
    else high = middle
  }
  bucket.splice(low, 0, policy)
}
