/** A job that waits. */
export interface Waiting {
  tenant: string
  /** The address of its caller. */
  peer: string
  urgent: boolean
}

/** A job that a thread runs, and since when. */
export interface Running {
  tenant: string
  since: number
}

/** What the pool remembers of a tenant. Times are in milliseconds since the epoch. */
export interface Tenant {
  /** The global number of its last turn. */
  turn: number
  /** Until then the tenant counts as slow. For ever until its first job has ended. */
  slowUntil: number
  /** Until then the tenant counts as costly. */
  costlyUntil: number
}

export const stranger: Tenant = { turn: 0, slowUntil: Number.POSITIVE_INFINITY, costlyUntil: 0 }

/** Milliseconds from which a job counts as slow. */
export const SLOW = 250
/** Milliseconds for which a slow job marks its tenant. */
export const SLOW_FOR = 600_000
/** Milliseconds for which a too costly job marks its tenant. */
export const COSTLY_TENANT_FOR = 60_000
/**
 * After a too costly job, all tenants so marked pause for this many times its duration: together they use a fifth of a
 * thread.
 */
export const REST = 4

/**
 * Picks the next of the waiting jobs (oldest first); undefined if none may run.
 * - A tenant has one running job at a time.
 * - Slow and unknown tenants share `left` threads; the rest of the threads stay free for other tenants. Costly tenants
 *   wait until `restUntil`.
 * - Urgent jobs come first, then the peer, then the tenant with the oldest last turn (`peers` has the peers' turns). So
 *   many tenants of one peer count once.
 */
export function nextTurn<T extends Waiting>(
  waiting: Iterable<T>,
  running: readonly Running[],
  tenants: ReadonlyMap<string, Tenant>,
  { peers, left, restUntil, now }: { peers: ReadonlyMap<string, number>; left: number; restUntil: number; now: number },
): T | undefined {
  const isSlow = (tenant: string): boolean => (tenants.get(tenant) ?? stranger).slowUntil > now
  const slow = running.filter(({ tenant, since }) => isSlow(tenant) || now - since > SLOW).length
  const slowMay = slow < left
  let next: { one: T; late: number; ofPeer: number; ofTenant: number } | undefined
  for (const one of waiting) {
    const { tenant, peer, urgent } = one
    const mayNot = (restUntil > now && (tenants.get(tenant)?.costlyUntil ?? 0) > now) || (isSlow(tenant) && !slowMay)
    if (mayNot || running.some((other) => other.tenant === tenant)) continue
    const late = urgent ? 0 : 1
    const ofPeer = peers.get(peer) ?? 0
    const ofTenant = tenants.get(tenant)?.turn ?? 0
    const before = next === undefined ? -1 : late - next.late || ofPeer - next.ofPeer || ofTenant - next.ofTenant
    if (before < 0) next = { one, late, ofPeer, ofTenant }
  }
  return next?.one
}
