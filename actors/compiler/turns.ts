/** A job that waits. */
export interface Waiting {
  tenant: string
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
  /** So long it counts as one whose jobs take long, */
  slowUntil: number
  /** and so long it gets no turn. */
  restUntil: number
}

/** Milliseconds: a job that takes more is a slow one. */
export const SLOW = 250
/** For so long a tenant is a slow one after a slow job. */
export const SLOW_FOR = 600_000
/** After a job that was too costly a tenant rests for so many times as long as it had a thread: it gets a fifth of one. */
export const REST = 4

/**
 * Which of the jobs that wait, the oldest first, is next; undefined when it is nobody's turn. A tenant has one job in hand at a time,
 * and those whose jobs were slow leave one thread to the others: so neither one tenant nor many that are known for it keep others
 * waiting. Then what is urgent comes first, and then whose last turn is the longest ago.
 */
export function nextTurn<T extends Waiting>(
  waiting: Iterable<T>,
  running: readonly Running[],
  tenants: ReadonlyMap<string, Tenant>,
  threads: number,
  now: number,
): T | undefined {
  const isSlow = (tenant: string): boolean => (tenants.get(tenant)?.slowUntil ?? 0) > now
  const slow = running.filter(({ tenant, since }) => isSlow(tenant) || now - since > SLOW).length
  const slowMay = slow < Math.max(1, threads - 1)
  const turnOf = ({ tenant }: Waiting): number => tenants.get(tenant)?.turn ?? 0
  let next: T | undefined
  for (const one of waiting) {
    const { tenant } = one
    const mayNot = (tenants.get(tenant)?.restUntil ?? 0) > now || (isSlow(tenant) && !slowMay)
    if (mayNot || running.some((other) => other.tenant === tenant)) continue
    const isFirst = next === undefined || (one.urgent !== next.urgent ? one.urgent : turnOf(one) < turnOf(next))
    if (isFirst) next = one
  }
  return next
}
