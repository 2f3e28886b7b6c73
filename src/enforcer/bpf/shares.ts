// The profiles of a node share slots, map entries and memory. A quarter is reserved for cluster policies, which may
// also use more. A namespace may use at most half of the rest, so that other tenants have room.

/** A profile that a policy wants on the node. */
export interface Claim {
  /** Namespace of its policy; empty for a cluster policy. */
  namespace: string
  /** Creation time, as a text that sorts by time. */
  since: string
}

/** Claims by name of the profile. */
export type Claims = ReadonlyMap<string, Claim>

export interface Shares {
  /** Limit for all policies. */
  all: number
  /** Limit for policies of all namespaces together. */
  namespaces: number
  /** Limit for policies of one namespace. */
  one: number
}

export function sharesOf(all: number): Shares {
  const namespaces = all - Math.floor(all / 4)
  return { all, namespaces, one: Math.ceil(namespaces / 2) }
}

/** Amount that a profile uses. `namespace` is undefined if the owner is unknown. */
export interface Holding {
  namespace: string | undefined
  amount: number
  /** Numbers of shared tables; each table counts once. */
  shared?: readonly number[]
}

/** @param ofShared amount of a shared table, by its number */
export function sumOf(holdings: readonly Holding[], ofShared: (number: number) => number = () => 0): number {
  const counted = new Set<number>()
  let sum = 0
  for (const { amount, shared = [] } of holdings) {
    sum += amount
    for (const number of shared) {
      if (counted.has(number)) continue
      counted.add(number)
      sum += ofShared(number)
    }
  }
  return sum
}

export interface Counting {
  /** Whether a holding without a known owner counts for every namespace, because not all owners are known yet. */
  anyones: boolean
  /** The holding that is replaced. A new holding that needs no more is always allowed. */
  before?: Holding
  /** See `sumOf`. */
  ofShared?: (number: number) => number
}

/**
 * Returns the share that a profile with `more` would exceed, together with all other profiles; undefined if it exceeds
 * none.
 */
export function exceeded(
  shares: Shares,
  more: Holding,
  others: readonly Holding[],
  { anyones, before, ofShared }: Counting,
): keyof Shares | undefined {
  const { namespace } = more
  // `one` is the smallest share, so the larger shares are not exceeded, either.
  if (sumOf([more, ...others], ofShared) <= shares.one) return undefined
  const isExceeded = (share: keyof Shares, counts: (holder: string | undefined) => boolean): boolean => {
    const beside = others.filter((one) => counts(one.namespace))
    const sum = sumOf([more, ...beside], ofShared)
    return sum > shares[share] && (before === undefined || sum > sumOf([before, ...beside], ofShared))
  }
  if (namespace !== '') {
    if (isExceeded('one', (holder) => holder === namespace || (anyones && holder === undefined))) return 'one'
    if (isExceeded('namespaces', (holder) => holder !== '')) return 'namespaces'
  }
  return isExceeded('all', () => true) ? 'all' : undefined
}

/**
 * Counts the older profiles of namespaces that are not loaded yet, within their shares, because slots are reserved for
 * them. So the newest profile is refused, whatever the order of loads. Profiles of cluster policies do not wait for
 * other profiles.
 * @param loaded namespaces of the loaded profiles
 */
export function waitingBefore(
  name: string,
  claims: Claims,
  loaded: ReadonlyMap<string, string | undefined>,
  { one }: Shares,
): Holding[] {
  const own = claims.get(name)
  if (own === undefined || own.namespace === '') return []
  const counts = new Map<string | undefined, number>()
  for (const namespace of loaded.values()) counts.set(namespace, (counts.get(namespace) ?? 0) + 1)
  const waiting: Holding[] = []
  for (const [other, { namespace, since }] of claims) {
    if (namespace === '' || since >= own.since || loaded.has(other)) continue
    const count = (counts.get(namespace) ?? 0) + 1
    counts.set(namespace, count)
    if (count <= one) waiting.push({ namespace, amount: 1 })
  }
  return waiting
}
