import { asWall, type Clock, type Timer, type WallMs } from '../../base/clock.ts'

/** Lost events. `where` and `why` are words of this program or codes of system errors, never text of a record. */
export interface Loss {
  /** The stage that lost the events: `kernel`, `ring`, `socket`, `file`, `sink`, … */
  where: string
  why: string
  /** Number of lost events; absent if unknown. */
  events?: number
  /** When the loss may have started. Default: now. */
  since?: WallMs
  /** The source of the events; absent without a source. A report never joins losses of two sources. */
  source?: string
}

/** The sum of the losses of one place and reason. */
export interface LossReport {
  where: string
  why: string
  /** Times of the first and last loss. */
  from: WallMs
  to: WallMs
  /** Number of lost events; undefined if the size of at least one loss is unknown. */
  events: number | undefined
  source?: string
}

/** State of one place and reason. */
interface Entry {
  where: string
  why: string
  source: string | undefined
  /** Losses since the last report. */
  pending: LossReport | undefined
  /** Whether `pending` may be reported. */
  isDue: boolean
  /** Monotonic time of the last report. */
  lastAt: number
  timer: Timer | undefined
}

/**
 * Maximum pairs of place and reason. Further pairs become `other`. There should be fewer, because the words come from
 * this program.
 */
export const maxKindsOfLoss = 128

/** Joins losses, so that each place and reason gives at most one report per interval. */
export class LossTally {
  readonly #clock: Clock
  readonly #every: number
  readonly #due: () => void
  readonly #entries = new Map<string, Entry>()
  #closed = false

  /**
   * @param every minimum milliseconds between two reports of one place and reason
   * @param due called when `take` has a report, but never while `note` runs
   */
  constructor(clock: Clock, every: number, due: () => void) {
    this.#clock = clock
    this.#every = every
    this.#due = due
  }

  note({ where, why, events, since, source }: Loss): void {
    const entry = this.#entry(where, why, source)
    const now = this.#clock.wall()
    const from = earlier(since ?? now, now)
    const { pending } = entry
    if (pending === undefined) {
      const of = { where: entry.where, why: entry.why, ...(source !== undefined && { source }) }
      entry.pending = { ...of, from, to: now, events }
      this.#wait(entry)
      return
    }
    pending.from = earlier(pending.from, from)
    pending.to = asWall(Math.max(pending.to, now))
    pending.events = pending.events === undefined || events === undefined ? undefined : pending.events + events
  }

  /**
   * Returns and removes the reports that are due now.
   * @param all whether to include reports that still have to wait, because the sink closes
   */
  take(all = false): LossReport[] {
    const reports: LossReport[] = []
    for (const entry of this.#entries.values()) {
      if (entry.pending === undefined || !(all || entry.isDue)) continue
      reports.push(entry.pending)
      entry.timer?.cancel()
      Object.assign(entry, { pending: undefined, timer: undefined, isDue: false, lastAt: this.#clock.now() })
    }
    return reports
  }

  /** The reports that `take(true)` would return. */
  get pending(): LossReport[] {
    return [...this.#entries.values()].flatMap(({ pending }) => pending ?? [])
  }

  /** Whether `take` has a report. */
  owes(all = false): boolean {
    for (const { pending, isDue } of this.#entries.values()) if (pending !== undefined && (all || isDue)) return true
    return false
  }

  /** Stops all timers, and does not call `due` again. */
  close(): void {
    this.#closed = true
    for (const { timer } of this.#entries.values()) timer?.cancel()
  }

  #entry(where: string, why: string, source: string | undefined): Entry {
    const key = `${where}\n${why}\n${source ?? ''}`
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    if (this.#entries.size >= maxKindsOfLoss && where !== 'other') return this.#entry('other', 'other', source)
    const never = { pending: undefined, isDue: false, lastAt: Number.NEGATIVE_INFINITY, timer: undefined }
    const entry = { where, why, source, ...never }
    this.#entries.set(key, entry)
    return entry
  }

  /**
   * Waits until the entry may be reported. The first loss waits for the next turn of the event loop, so that the report
   * includes other losses of this turn.
   */
  #wait(entry: Entry): void {
    if (this.#closed) return
    const delay = Math.max(0, entry.lastAt + this.#every - this.#clock.now())
    entry.timer = this.#clock.after(delay, () => {
      entry.isDue = true
      this.#due()
    })
  }
}

const earlier = (a: WallMs, b: WallMs): WallMs => (a < b ? a : b)
