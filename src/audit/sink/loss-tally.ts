import { asWall, type Clock, type Timer, type WallMs } from '../../base/clock.ts'

/** Events that were lost. `where` and `why` are words of this program or codes of system errors, never a text of a record. */
export interface Loss {
  /** The stage that lost them: `kernel`, `ring`, `socket`, `file`, `sink`, … */
  where: string
  why: string
  /** How many; left out where nobody can tell. */
  events?: number
  /** When they may have begun to be lost. Default: now. */
  since?: WallMs
  /** The source that gave them; left out where it was none. Losses of two sources are never in one report. */
  source?: string
}

/** Losses of one place and reason, put together. */
export interface LossReport {
  where: string
  why: string
  /** When the first and the last were lost. */
  from: WallMs
  to: WallMs
  /** undefined: of at least one of them nobody can tell how many events it was. */
  events: number | undefined
  source?: string
}

/** What is known of one place and reason. */
interface Entry {
  where: string
  why: string
  source: string | undefined
  /** What was noted since the last report. */
  pending: LossReport | undefined
  /** `pending` may be given out. */
  isDue: boolean
  /** By the monotonic clock. */
  lastAt: number
  timer: Timer | undefined
}

/** Pairs of place and reason that are kept apart. Their words come from this program, so there are fewer; more are `other`. */
export const mostKindsOfLoss = 128

/** Puts losses together, so that each place and reason gives at most one report in a while. */
export class LossTally {
  readonly #clock: Clock
  readonly #every: number
  readonly #due: () => void
  readonly #entries = new Map<string, Entry>()
  #closed = false

  /**
   * @param every milliseconds between two reports of one place and reason, at least.
   * @param due called when `take` has something to give, never within `note`.
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

  /** What may be reported now. @param all also what would have to wait, because nothing comes after it. */
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

  /** What `take(true)` would give. */
  get pending(): LossReport[] {
    return [...this.#entries.values()].flatMap(({ pending }) => pending ?? [])
  }

  /** Whether `take` has something to give. */
  owes(all = false): boolean {
    for (const { pending, isDue } of this.#entries.values()) if (pending !== undefined && (all || isDue)) return true
    return false
  }

  /** Calls nobody any more, and leaves no timer behind. */
  close(): void {
    this.#closed = true
    for (const { timer } of this.#entries.values()) timer?.cancel()
  }

  #entry(where: string, why: string, source: string | undefined): Entry {
    const key = `${where}\n${why}\n${source ?? ''}`
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    if (this.#entries.size >= mostKindsOfLoss && where !== 'other') return this.#entry('other', 'other', source)
    const never = { pending: undefined, isDue: false, lastAt: Number.NEGATIVE_INFINITY, timer: undefined }
    const entry = { where, why, source, ...never }
    this.#entries.set(key, entry)
    return entry
  }

  /** A first one, too, waits for the next turn: what is lost in the same turn joins it. */
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
