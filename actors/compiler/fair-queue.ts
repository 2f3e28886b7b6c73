/** A job that waits for a thread. */
export interface Waiting {
  tenant: string
  /** The address of the job's caller. */
  peer: string
  urgent: boolean
}

/** A running job: its tenant, and when it started. */
export interface Running {
  tenant: string
  since: number
}

/** Facts that the pool remembers about a tenant. Times are in milliseconds since the epoch. */
export interface Tenant {
  /** The number of the tenant's last turn, from a counter of all tenants' turns. */
  turn: number
  /** Until this time the tenant counts as slow. It is infinite until the tenant's first job has ended. */
  slowUntil: number
  /** Until this time the tenant counts as costly. */
  costlyUntil: number
}

export const stranger: Tenant = { turn: 0, slowUntil: Number.POSITIVE_INFINITY, costlyUntil: 0 }

/** A job of at least this many milliseconds counts as slow. */
export const SLOW = 250
/** Milliseconds for which a tenant counts as slow after a slow job. */
export const SLOW_FOR = 600_000
/** Milliseconds for which a tenant counts as costly after a too costly job. */
export const COSTLY_TENANT_FOR = 60_000
/**
 * After a too costly job, all costly tenants pause for this many times the job's duration, so together they use at most
 * a fifth of a thread.
 */
export const REST = 4

/** Picks the next job; undefined if no waiting job may run. `waiting` starts with the oldest job. */
export function nextTurn<T extends Waiting>(
  waiting: Iterable<T>,
  running: readonly Running[],
  tenants: ReadonlyMap<string, Tenant>,
  { peers, left, restUntil, now }: { peers: ReadonlyMap<string, number>; left: number; restUntil: number; now: number },
): T | undefined {
  // Slow and unknown tenants share `left` threads, so that the other threads stay free for other tenants.
  const isSlow = (tenant: string): boolean => (tenants.get(tenant) ?? stranger).slowUntil > now
  const slow = running.filter(({ tenant, since }) => isSlow(tenant) || now - since > SLOW).length
  const slowMay = slow < left
  let next: { one: T; late: number; ofPeer: number; ofTenant: number } | undefined
  for (const one of waiting) {
    const { tenant, peer, urgent } = one
    // Costly tenants wait until `restUntil`. A tenant has at most one running job.
    const mayNot = (restUntil > now && (tenants.get(tenant)?.costlyUntil ?? 0) > now) || (isSlow(tenant) && !slowMay)
    if (mayNot || running.some((other) => other.tenant === tenant)) continue
    // Urgent jobs come first. Then comes the peer whose last turn is longest ago, and of this peer the tenant whose
    // last turn is longest ago. So a peer with many tenants gets no more turns than a peer with one tenant.
    const late = urgent ? 0 : 1
    const ofPeer = peers.get(peer) ?? 0
    const ofTenant = tenants.get(tenant)?.turn ?? 0
    const before = next === undefined ? -1 : late - next.late || ofPeer - next.ofPeer || ofTenant - next.ofTenant
    if (before < 0) next = { one, late, ofPeer, ofTenant }
  }
  return next?.one
}
