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

/** The number of the last turn of each peer that had one. */
export interface Turns {
  get(peer: string): number | undefined
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
 * them keep others waiting. Those whose jobs were too costly have no turn until `restUntil`. Then what is urgent comes first, then where
 * it comes from that had no turn for longest, as one who asks for many tenants is one, and then whose last turn is the longest ago.
 */
export function nextTurn<T extends Waiting>(
  waiting: Iterable<T>,
  running: readonly Running[],
  tenants: ReadonlyMap<string, Tenant>,
  { peers, left, restUntil, now }: { peers: Turns; left: number; restUntil: number; now: number },
): T | undefined {
  const isSlow = (tenant: string): boolean => (tenants.get(tenant) ?? stranger).slowUntil > now
  const slow = running.filter(({ tenant, since }) => isSlow(tenant) || now - since > SLOW).length
  const slowMay = slow < left
  const ranks = ({ tenant, peer, urgent }: Waiting): number[] => [
    urgent ? 0 : 1,
    peers.get(peer) ?? 0,
    tenants.get(tenant)?.turn ?? 0,
  ]
  let next: T | undefined
  for (const one of waiting) {
    const { tenant } = one
    const mayNot = (restUntil > now && (tenants.get(tenant)?.costlyUntil ?? 0) > now) || (isSlow(tenant) && !slowMay)
    if (mayNot || running.some((other) => other.tenant === tenant)) continue
    if (next === undefined || comesBefore(ranks(one), ranks(next))) next = one
  }
  return next
}

/** Whether the first number that is not the same is smaller. */
function comesBefore(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((rank, i) => rank !== other[i])
  return at >= 0 && one[at]! < other[at]!
}
