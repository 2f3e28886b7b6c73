/** A job that waits. */
export interface Waiting {
  tenant: string
  /** Where it comes from. */
  peer: string
  urgent: boolean
}

/** A job that a thread has in hand, and since when. */
export interface Running {
  tenant: string
  since: number
}

/** What is remembered of a tenant. Times are in milliseconds since the epoch. */
export interface Tenant {
  /** The number of its last turn, of all turns. */
  turn: number
  /** So long it counts as one whose jobs take long: before its first job has ended, for ever; */
  slowUntil: number
  /** and so long as one whose jobs are too costly. */
  costlyUntil: number
}

export const stranger: Tenant = { turn: 0, slowUntil: Number.POSITIVE_INFINITY, costlyUntil: 0 }

/** Milliseconds: a job that takes more is a slow one. */
export const SLOW = 250
/** For so long a tenant is a slow one after a slow job. */
export const SLOW_FOR = 600_000
/** For so long a tenant is a costly one after a job that was too costly. */
export const COSTLY_TENANT_FOR = 60_000
/** After a job that was too costly all who are known for such rest for so many times as long: together they get a fifth of a thread. */
export const REST = 4

/**
 * Which of the jobs that wait, the oldest first, is next; undefined when it is nobody's turn. A tenant has one job in hand at a time.
 * Those whose jobs were slow, and strangers, have `left` threads, which leaves one to the others: so neither one tenant nor many of
 * them keep others waiting. Those whose jobs were too costly have no turn until `restUntil`. Then what is urgent comes first, then what
 * comes from where the last turn is the longest ago (`peers` has its number): one who asks for many tenants is one. Then it is the tenant
 * whose last turn is the longest ago.
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
