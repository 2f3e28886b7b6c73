import { type Clock, isoTime } from '../../base/clock.ts'
import { type Logger, noLogger } from '../../base/logger.ts'
import { type Loss, type LossReport, LossTally, mostKindsOfLoss } from './loss-tally.ts'
import type { Statement } from './own-lines.ts'
import { Unsaid } from './unsaid.ts'

/** Everything of one place and reason so far, for metrics. */
export interface LossCount {
  where: string
  why: string
  /** Those of which the number is known. */
  events: number
  /** How often events were lost of which nobody can tell how many. */
  uncounted: number
}

export interface LossLogOptions {
  clock: Clock
  /** Gets a warning for each report. Default: nobody. */
  logger?: Pick<Logger, 'warn'>
  /** Called with each loss. */
  onLoss?: (loss: Loss) => void
  /** Milliseconds between two lines, and between two warnings, of one place and reason. Default 1,000. */
  every?: number
}

/** Calls back when what was read up to now will not be read again. */
export type Reached = (then: () => void) => void

const atOnce: Reached = (then) => then()

/**
 * The one way to say that events are missing. Whoever loses some notes it; then it is counted, the agent's log warns, and the sink
 * writes a line `lost` (EVENTS.md) where they would have been. Line and warning come at most once a second for each place and reason, with
 * what was lost since the last one.
 */
export class LossLog {
  readonly #counts = new Map<string, LossCount>()
  readonly #warnings: LossTally
  readonly #lines: LossTally
  readonly #clock: Clock
  readonly #logger: Pick<Logger, 'warn'>
  readonly #onLoss: (loss: Loss) => void
  /** Every other count that a line has to say. */
  readonly unsaid = new Unsaid(() => queueMicrotask(this.#wake))
  /** Stores these counts with the ids of their lines, before the log gets the lines. Default: they are not stored. */
  beforeLines: (statements: readonly Statement[]) => Promise<void> = async () => undefined
  /** Called when a line is in the log, and what it says need not be stored. */
  afterLine: (statement: Statement) => void = () => undefined
  #wake: () => void = () => undefined
  #closed = false

  constructor({ clock, logger = noLogger, onLoss = () => undefined, every = 1_000 }: LossLogOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#onLoss = onLoss
    this.#warnings = new LossTally(clock, every, () => this.#warn())
    this.#lines = new LossTally(clock, every, () => this.#wake())
  }

  /**
   * Events were lost. Cheap, but not for the hot path: call it for a group, not for each event.
   * `events: 0` changes nothing.
   * @param reached calls back when a line may say it: what is read again, after a kill or at the next start, is lost again
   */
  note(loss: Loss, reached: Reached = atOnce): void {
    if (loss.events === 0) return
    this.#count(loss)
    this.#onLoss(loss)
    const { source: _, ...ofAny } = loss
    this.#warnings.note(ofAny)
    if (this.#closed) this.#warn(true)
    const since = this.#clock.wall()
    reached(() => this.#lines.note({ since, ...loss }))
  }

  /** By place and reason, in the order in which they came first. At most `mostKindsOfLoss` and one. */
  get counts(): readonly LossCount[] {
    return [...this.#counts.values()]
  }

  /** For the sink: called when a line may be written; soon, if one was owed before. */
  onLine(wake: () => void): void {
    this.#wake = wake
    if (this.owesLine()) queueMicrotask(wake)
  }

  /** Whether there is a line to write. @param all even if it would have to wait, because nothing comes after it. */
  owesLine(all = false): boolean {
    return this.unsaid.isOwed || this.#lines.owes(all)
  }

  /** For the sink: what it has to write now. */
  takeLines(all = false): LossReport[] {
    return this.#lines.take(all)
  }

  /** For the sink: the same, with all other counts that are owed. */
  takeStatements(all = false): Statement[] {
    return [...this.unsaid.take(), ...this.takeLines(all).map((report) => this.unsaid.give(statementOf(report)))]
  }

  /** For the sink: the line is in the log. */
  async said(statement: Statement): Promise<void> {
    await this.unsaid.said(statement)
    this.afterLine(statement)
  }

  /** What has to be stored of a source: no line in the log has said it. */
  unsaidOf(source: string): Statement[] {
    const pending = this.#lines.pending.filter((report) => (report.source ?? '') === source)
    return [...this.unsaid.of(source), ...pending.map(statementOf)]
  }

  /** The sink is closed. Warns of what was not warned of yet; what still comes is counted and warned of at once. */
  close(): void {
    this.#closed = true
    this.#warn(true)
    this.#warnings.close()
    this.#lines.close()
  }

  #warn(all = false): void {
    for (const { where, why, events, from, to } of this.#warnings.take(all))
      this.#logger.warn(
        {
          where,
          reason: why,
          count: events ?? 'unknown',
          from: isoTime(from),
          to: isoTime(to),
        },
        'violation events are lost',
      )
  }

  #count({ where, why, events }: Loss): void {
    const key = `${where}\n${why}`
    let count = this.#counts.get(key)
    if (count === undefined) {
      if (this.#counts.size >= mostKindsOfLoss && where !== 'other') {
        this.#count({ where: 'other', why: 'other', ...(events !== undefined && { events }) })
        return
      }
      count = { where, why, events: 0, uncounted: 0 }
      this.#counts.set(key, count)
    }
    if (events === undefined) count.uncounted++
    else count.events += events
  }
}

function statementOf({ where, why, from, to, events, source = '' }: LossReport): Statement {
  const lost = { events: events ?? null, from: isoTime(from), to: isoTime(to), where, why }
  return { source, message: 'lost', about: { lost } }
}
