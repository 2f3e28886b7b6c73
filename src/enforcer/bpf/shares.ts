// What the profiles of a node share: places, and entries of maps. A quarter is kept for cluster policies, which may take more; of the rest,
// one namespace takes at most half, so that no tenant takes what the others need.

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

/** What somebody has of it already. `namespace`: undefined where nobody knows whose it is. */
export interface Holding {
  namespace: string | undefined
  amount: number
}

/**
 * The share that is exceeded when a profile of the namespace takes `more` beside what others hold; undefined where there is room.
 * @param anyones how what is nobody's counts: as everybody's where it is not known yet whose it is
 */
export function exceeded(
  shares: Shares,
  { namespace, amount: more }: Holding,
  others: readonly Holding[],
  anyones: boolean,
): keyof Shares | undefined {
  const sum = (counts: (holder: string | undefined) => boolean): number =>
    others.reduce((amount, one) => (counts(one.namespace) ? amount + one.amount : amount), more)
  if (namespace !== '') {
    if (sum((holder) => holder === namespace || (anyones && holder === undefined)) > shares.one) return 'one'
    if (sum((holder) => holder !== '') > shares.namespaces) return 'namespaces'
  }
  return sum(() => true) > shares.all ? 'all' : undefined
}

/**
 * Places that profiles of namespaces which were wanted before this one are still to take, as far as their shares go: whatever order they are
 * loaded in, it is the newest that finds none. A cluster policy waits for nobody.
 * @param loaded whose the profiles are that have a place
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
