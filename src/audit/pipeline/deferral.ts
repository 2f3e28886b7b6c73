import { mebibyte } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { BatchFormat, Deferred } from '../batch/batch.ts'
import { maxWait, type WaitKey } from '../enrich/wait-keys.ts'
import type { News } from './snapshot-changes.ts'

/** When records started to wait, when their wait ends, and how often they were tried. */
interface Before {
  since: number
  deadline: number
  tries: number
}

/** Records of one result that must wait. */
export interface Held<Owner> {
  /** A value of the caller, which `retry` gets back. */
  owner: Owner
  format: BatchFormat
  deferred: Deferred
  readAt: number | undefined
  /** Set for records that have waited before. */
  before?: Before | undefined
}

/** Records to try again. */
export interface Retry<Owner> extends Pick<Held<Owner>, 'owner' | 'format' | 'readAt'> {
  bytes: Uint8Array
  /** Whether they must be written, even if the container is still unknown. */
  final: boolean
  /** Whether these are the last waiting records of their result. */
  last: boolean
  before: Before
}

export interface DeferralOptions<Owner> {
  clock: Clock
  /** Maximum milliseconds that a record waits. Default 10,000: a busy node takes seconds to report a container. */
  timeout?: number
  /** `timeout` for a record whose profile is being recorded. Default 30,000. */
  longTimeout?: number
  /** `timeout` for a BPF record. While it waits, the kernel's ring keeps it and all later records. Default 2,000. */
  timeoutInRing?: number
  /**
   * Maximum bytes of waiting records. Beyond it, the holder with most bytes releases its oldest records. Default 8 MiB.
   */
  bound?: number
  /** Returns the keys of containers and processes that have changed since the last call. */
  news: () => News
  retry: (retry: Retry<Owner>) => void
}

const defaults = { timeout: 10_000, longTimeout: maxWait, timeoutInRing: 2_000, bound: 8 * mebibyte }

/** Milliseconds between two checks for news. After each unsuccessful try, the next interval doubles. */
const tick = 100
/** Maximum results with waiting records: each costs memory in addition to the bytes of its records. */
const maxGroups = 16_384

/** Maximum holders with a separate share; all further holders use one common share. */
const maxShares = 1_024

/** The waiting records of one holder with the same value of `recorded`. */
interface Share<Owner> {
  readonly key: string
  readonly recorded: boolean
  readonly groups: Set<Group<Owner>>
  bytes: number
}

/** Records of a group that wait for the same keys. */
interface Wait<Owner> {
  group: Group<Owner>
  keys: readonly WaitKey[]
  state: 'waits' | 'due' | 'gone'
}

interface Group<Owner> extends Held<Owner>, Before {
  /** The records are not tried again before this time, even if there is news about them. */
  notBefore: number
  waits: Wait<Owner>[]
  /** Number of records that still wait. */
  left: number
  due: boolean
  share: Share<Owner>
}

/**
 * Keeps records whose container is not known yet. News about a key retries only the records that wait for this key.
 * Time and bytes are limited. Beyond the limit, the holder with most bytes releases its oldest records, so a container
 * that floods loses the container's name only in its own records.
 */
export class Deferral<Owner> {
  /** Records released early because too many waited. */
  cutShort = 0
  /** Bytes of all results with waiting records. A result counts in full until its last record is released. */
  bytes = 0
  #options: Required<DeferralOptions<Owner>>
  #groups = new Set<Group<Owner>>()
  readonly #shares = new Map<string, Share<Owner>>()
  #waiting = new Map<WaitKey, Set<Wait<Owner>>>()
  #timer: { cancel(): void } | undefined
  #closed = false

  constructor(options: DeferralOptions<Owner>) {
    this.#options = { ...defaults, ...options }
  }

  /** Number of results with waiting records. */
  get depth(): number {
    return this.#groups.size
  }

  /** When the oldest waiting record started to wait, by the clock. */
  get oldest(): number | undefined {
    let first: number | undefined
    for (const { since } of this.#groups) if (first === undefined || since < first) first = since
    return first
  }

  /** Keeps records until there is news about their keys, or their time is over. */
  hold(held: Held<Owner>): void {
    const now = this.#options.clock.now()
    const before = held.before ?? { since: now, deadline: now + this.#patienceWith(held), tries: 0 }
    const notBefore = before.tries === 0 ? 0 : now + tick * 2 ** before.tries
    const group: Group<Owner> = {
      ...held,
      ...before,
      ...{ notBefore, waits: [], left: held.deferred.records, due: false, share: this.#shareOf(held.deferred) },
    }
    group.waits = held.deferred.waits.map((keys) => ({ group, keys, state: 'waits' }))
    const wasEmpty = this.#groups.size === 0
    this.#groups.add(group)
    group.share.groups.add(group)
    group.share.bytes += held.deferred.bytes.length
    this.bytes += held.deferred.bytes.length
    for (const wait of group.waits) this.#enter(wait)
    if (this.#closed) this.#release(group, true)
    else this.#relieve()
    if (this.#groups.size === 0) return
    // News may have arrived while a worker decoded these records. Ignore 'all': it names no key.
    if (wasEmpty) this.#note(this.#options.news(), false)
    this.#timer ??= this.#options.clock.after(tick, () => this.#tick())
  }

  #patienceWith({ format, deferred }: Held<Owner>): number {
    const { timeout, longTimeout, timeoutInRing: patienceInRing } = this.#options
    if (format === 'record') return patienceInRing
    return deferred.recorded ? longTimeout : timeout
  }

  /** Releases all records. From now on, `hold` releases new records at once. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const group of [...this.#groups]) this.#release(group, true)
  }

  #enter(wait: Wait<Owner>): void {
    for (const key of wait.keys) {
      const others = this.#waiting.get(key)
      if (others === undefined) this.#waiting.set(key, new Set([wait]))
      else others.add(wait)
    }
  }

  #leave(wait: Wait<Owner>): void {
    wait.state = 'gone'
    for (const key of wait.keys) {
      const others = this.#waiting.get(key)
      others?.delete(wait)
      if (others?.size === 0) this.#waiting.delete(key)
    }
  }

  #shareOf({ holder, recorded }: Deferred): Share<Owner> {
    const own = `${recorded} ${holder}`
    const key = this.#shares.has(own) || this.#shares.size < maxShares ? own : `${recorded} `
    let share = this.#shares.get(key)
    if (share === undefined) {
      share = { key, recorded, groups: new Set(), bytes: 0 }
      this.#shares.set(key, share)
    }
    return share
  }

  #relieve(): void {
    for (;;) {
      const tooLarge = this.bytes > this.#options.bound
      if (!tooLarge && this.#groups.size <= maxGroups) return
      const group = this.#largest(tooLarge ? ({ bytes }) => bytes : ({ groups }) => groups.size)
      if (group === undefined) return
      this.cutShort += group.left
      this.#release(group, true)
    }
  }

  /**
   * The oldest group of the largest share. Shares with recorded profiles come first: their records may wait longest, so
   * they must not take the room of other records.
   */
  #largest(of: (share: Share<Owner>) => number): Group<Owner> | undefined {
    let max: Share<Owner> | undefined
    for (const share of this.#shares.values())
      if (max === undefined || (share.recorded === max.recorded ? of(share) > of(max) : share.recorded)) max = share
    const [oldest] = max?.groups ?? []
    return oldest
  }

  #note(news: News, everything: boolean): void {
    if (news !== 'all') for (const key of news) for (const wait of this.#waiting.get(key) ?? []) markDue(wait)
    else if (everything) for (const { waits } of this.#groups) for (const wait of waits) markDue(wait)
  }

  #tick(): void {
    const { clock, news } = this.#options
    this.#timer = undefined
    this.#note(news(), true)
    const now = clock.now()
    for (const group of [...this.#groups])
      if (now >= group.deadline) this.#release(group, true)
      else if (group.due && now >= group.notBefore) this.#release(group, false)
    if (this.#groups.size > 0) this.#timer ??= clock.after(tick, () => this.#tick())
  }

  /** Releases the records that are due; with `final`, all records of the group. */
  #release(group: Group<Owner>, final: boolean): void {
    const { owner, format, readAt, deferred, waits, since, deadline, tries, share } = group
    const goes = waits.map(({ state }) => state === 'due' || (final && state === 'waits'))
    const { bytes, records } = recordsOf(deferred, goes)
    for (const [i, wait] of waits.entries()) if (goes[i]) this.#leave(wait)
    group.left -= records
    group.due = false
    const last = group.left === 0
    if (last) {
      this.#groups.delete(group)
      share.groups.delete(group)
      share.bytes -= deferred.bytes.length
      if (share.groups.size === 0) this.#shares.delete(share.key)
      this.bytes -= deferred.bytes.length
    }
    this.#options.retry({ owner, format, readAt, bytes, final, last, before: { since, deadline, tries: tries + 1 } })
  }
}

function markDue(wait: Wait<unknown>): void {
  if (wait.state === 'gone') return
  wait.state = 'due'
  wait.group.due = true
}

/** The records whose wait is marked in `goes`, in order. */
function recordsOf({ bytes, records, ends, waitOf }: Deferred, goes: readonly boolean[]) {
  if (goes.every(Boolean)) return { bytes, records }
  const chosen = new Uint8Array(bytes.length)
  let [length, count] = [0, 0]
  for (let i = 0; i < records; i++) {
    if (!goes[waitOf[i]!]) continue
    const record = bytes.subarray(i === 0 ? 0 : ends[i - 1]!, ends[i])
    chosen.set(record, length)
    length += record.length
    count++
  }
  return { bytes: chosen.slice(0, length), records: count }
}
