import { type Clock, isoTime } from '../../base/clock.ts'
import { type Logger, noLogger } from '../../base/logger.ts'
import type { Statement } from './agent-events.ts'
import { type Loss, type LossReport, LossTally, maxKindsOfLoss } from './loss-tally.ts'
import { Unsaid } from './unsaid.ts'

/** The losses of one place and reason, for metrics. */
export interface LossCount {
  where: string
  why: string
  /** Number of lost events, of all losses with a known number. */
  events: number
  /** Number of losses with an unknown number of events. */
  uncounted: number
}

export interface LossLogOptions {
  clock: Clock
  /** Logs a warning for each report. Default: none. */
  logger?: Pick<Logger, 'warn'>
  /** Called with each loss. */
  onLoss?: (loss: Loss) => void
  /** Milliseconds between two lines, and between two warnings, about one place and reason. Default 1,000. */
  every?: number
}

/** Calls back when the source will certainly not read again the records that it has read so far. */
export type Reached = (then: () => void) => void

const atOnce: Reached = (then) => then()

/**
 * The only way to report missing events. Code that loses events calls `note`. The losses are counted, the agent's log
 * warns, and the sink writes a line `lost` (EVENTS.md). For each place and reason, there is at most one line and one
 * warning per second, with the losses since the previous line or warning.
 */
export class LossLog {
  readonly #counts = new Map<string, LossCount>()
  readonly #warnings: LossTally
  readonly #lines: LossTally
  readonly #clock: Clock
  readonly #logger: Pick<Logger, 'warn'>
  readonly #onLoss: (loss: Loss) => void
  /** All other counts that lines must report. */
  readonly unsaid = new Unsaid(() => queueMicrotask(this.#wake))
  /** Called before the log gets the lines of these counts, to store the counts with the ids of the lines. */
  beforeLines: (statements: readonly Statement[]) => Promise<void> = async () => undefined
  /** Called when the line of a count is in the log, so that the count need not stay stored. */
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
   * Adds a loss; `events: 0` does nothing. It is too slow for single events, so call it for a group of events.
   * @param reached calls back when a line may report the loss. Before that, a restart may read the records again, so
   * the loss would be reported twice
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

  /** Losses by place and reason, in order of first occurrence. There are at most `maxKindsOfLoss + 1` entries. */
  get counts(): readonly LossCount[] {
    return [...this.#counts.values()]
  }

  /** Used by the sink. `wake` is called when a line is due, and soon if a line is due already. */
  onLine(wake: () => void): void {
    this.#wake = wake
    if (this.owesLine()) queueMicrotask(wake)
  }

  /** Whether a line is due. @param all whether to include lines that still have to wait, because the sink closes */
  owesLine(all = false): boolean {
    return this.unsaid.isOwed || this.#lines.owes(all)
  }

  /** Used by the sink: returns the losses to report now. */
  takeLines(all = false): LossReport[] {
    return this.#lines.take(all)
  }

  /** Used by the sink: returns all counts to report now, including losses. */
  takeStatements(all = false): Statement[] {
    return [...this.unsaid.take(), ...this.takeLines(all).map((report) => this.unsaid.give(statementOf(report)))]
  }

  /** Used by the sink: says that the line of the count is in the log. */
  async said(statement: Statement): Promise<void> {
    await this.unsaid.said(statement)
    this.afterLine(statement)
  }

  /** The counts of a source that must be stored, because their lines are not in the log. */
  unsaidOf(source: string): Statement[] {
    const pending = this.#lines.pending.filter((report) => (report.source ?? '') === source)
    return [...this.unsaid.of(source), ...pending.map(statementOf)]
  }

  /**
   * Called when the sink is closed. Warns of all losses without a warning. From now on, each loss is counted and causes
   * a warning at once.
   */
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
        'violation events were lost',
      )
  }

  #count({ where, why, events }: Loss): void {
    const key = `${where}\n${why}`
    let count = this.#counts.get(key)
    if (count === undefined) {
      if (this.#counts.size >= maxKindsOfLoss && where !== 'other') {
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
