import type { Clock, Timer } from '../../base/clock.ts'

/** Events that were lost. `where` and `why` are words of this program or codes of system errors, never a text of a record. */
export interface Loss {
  /** The stage that lost them: `kernel`, `ring`, `socket`, `file`, `sink`, … */
  where: string
  why: string
  /** How many; left out where nobody can tell. */
  events?: number
  /** Milliseconds since the epoch from which on they may have been lost. Default: now. */
  since?: number
}

/** Losses of one place and reason, put together. */
export interface LossReport {
  where: string
  why: string
  /** Milliseconds since the epoch of the first and of the last. */
  from: number
  to: number
  /** undefined: of at least one of them nobody can tell how many events it was. */
  events: number | undefined
}

/** What is known of one place and reason. */
interface Entry {
  where: string
  why: string
  /** What was noted since the last report. */
  pending: LossReport | undefined
  /** `pending` may be given out. */
  isDue: boolean
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

  note({ where, why, events, since }: Loss): void {
    const entry = this.#entry(where, why)
    const now = this.#clock.now()
    const from = Math.min(since ?? now, now)
    const { pending } = entry
    if (pending === undefined) {
      entry.pending = { where: entry.where, why: entry.why, from, to: now, events }
      this.#wait(entry, now)
      return
    }
    pending.from = Math.min(pending.from, from)
    pending.to = Math.max(pending.to, now)
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

  #entry(where: string, why: string): Entry {
    const known = this.#entries.get(keyOf(where, why))
    if (known !== undefined) return known
    if (this.#entries.size >= mostKindsOfLoss && where !== 'other') return this.#entry('other', 'other')
    const entry = { where, why, pending: undefined, isDue: false, lastAt: Number.NEGATIVE_INFINITY, timer: undefined }
    this.#entries.set(keyOf(where, why), entry)
    return entry
  }

  /** A first one, too, waits for the next turn: what is lost in the same turn joins it. A clock that is set back delays none. */
  #wait(entry: Entry, now: number): void {
    if (this.#closed) return
    const delay = Math.min(this.#every, Math.max(0, entry.lastAt + this.#every - now))
    entry.timer = this.#clock.after(delay, () => {
      entry.isDue = true
      this.#due()
    })
  }
}

const keyOf = (where: string, why: string): string => `${where}\n${why}`
