// The profiles of a node share places, entries of maps, and memory. Cluster policies have a quarter for themselves, and
// may take more. One namespace takes at most half of the rest, so that it leaves room for other tenants.

/** Who wants a profile on the node. */
export interface Claim {
  /** Of its policy; empty for a cluster policy's. */
  namespace: string
  /** Who has the lesser text was there first. */
  since: string
}

/** By the name of the profile. */
export type Claims = ReadonlyMap<string, Claim>

export interface Shares {
  /** Of all policies. */
  all: number
  /** Of those of all namespaces. */
  namespaces: number
  /** Of those of one namespace. */
  one: number
}

export function sharesOf(all: number): Shares {
  const namespaces = all - Math.floor(all / 4)
  return { all, namespaces, one: Math.ceil(namespaces / 2) }
}

/** Amount that a namespace already has. `namespace`: undefined where the owner is not known. */
export interface Holding {
  namespace: string | undefined
  amount: number
  /** Numbers of what others may hold, too, and then counts once. */
  shared?: readonly number[]
}

/** @param ofShared how much it is that is shared, by its number */
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
  /** Whether holdings without owner count for every namespace, because their owner is not known yet. */
  anyones: boolean
  /** In whose place it is taken: what does not add to that has room. */
  before?: Holding
  /** As `sumOf` has it. */
  ofShared?: (number: number) => number
}

/** The share that is exceeded when a profile takes `more` beside what others hold; undefined where there is room. */
export function exceeded(
  shares: Shares,
  more: Holding,
  others: readonly Holding[],
  { anyones, before, ofShared }: Counting,
): keyof Shares | undefined {
  const { namespace } = more
  // The least of the shares.
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
 * Places for older profiles of namespaces that are not loaded yet, within their shares: in any order of loads the
 * newest profile finds no place. A profile of a cluster policy waits for no other profile.
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
