import { type Clock, isoTime } from '../../base/clock.ts'
import { type Logger, noLogger } from '../../base/logger.ts'
import type { Statement } from './agent-events.ts'
import { type Loss, type LossReport, LossTally, maxKindsOfLoss } from './loss-tally.ts'
import { Unsaid } from './unsaid.ts'

/** Total losses of one place and reason, for metrics. */
export interface LossCount {
  where: string
  why: string
  /** Losses with a known number. */
  events: number
  /** Number of losses whose size is unknown. */
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

/** Calls back when everything read up to now will not be read again. */
export type Reached = (then: () => void) => void

const atOnce: Reached = (then) => then()

/**
 * The only way to report missing events. The code that loses events notes them; they are counted, the agent's log
 * warns, and the sink writes a line `lost` (EVENTS.md) in their place. Lines and warnings come at most once a second
 * for each place and reason, with the losses since the last one.
 */
export class LossLog {
  readonly #counts = new Map<string, LossCount>()
  readonly #warnings: LossTally
  readonly #lines: LossTally
  readonly #clock: Clock
  readonly #logger: Pick<Logger, 'warn'>
  readonly #onLoss: (loss: Loss) => void
  /** All other counts that a line must report. */
  readonly unsaid = new Unsaid(() => queueMicrotask(this.#wake))
  /** Stores these counts with the ids of their lines, before the log gets the lines. Default: does not store. */
  beforeLines: (statements: readonly Statement[]) => Promise<void> = async () => undefined
  /** Called when a line is in the log, so that its count need not be stored. */
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
   * Notes lost events. Cheap, but not for the hot path: call it for a group, not for each event. `events: 0` does
   * nothing.
   * @param reached calls back when a line may report it: records that are read again, after a kill or restart, are lost
   * again
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

  /** By place and reason, in order of first occurrence. At most `mostKindsOfLoss` plus one. */
  get counts(): readonly LossCount[] {
    return [...this.#counts.values()]
  }

  /** For the sink: called when a line may be written; soon, if one is already due. */
  onLine(wake: () => void): void {
    this.#wake = wake
    if (this.owesLine()) queueMicrotask(wake)
  }

  /** Whether a line is due. @param all even if it would have to wait, because nothing follows */
  owesLine(all = false): boolean {
    return this.unsaid.isOwed || this.#lines.owes(all)
  }

  /** For the sink: the reports to write now. */
  takeLines(all = false): LossReport[] {
    return this.#lines.take(all)
  }

  /** For the sink: the same, with all other counts due. */
  takeStatements(all = false): Statement[] {
    return [...this.unsaid.take(), ...this.takeLines(all).map((report) => this.unsaid.give(statementOf(report)))]
  }

  /** For the sink: the line is in the log. */
  async said(statement: Statement): Promise<void> {
    await this.unsaid.said(statement)
    this.afterLine(statement)
  }

  /** What must be stored about a source: counts without a line in the log. */
  unsaidOf(source: string): Statement[] {
    const pending = this.#lines.pending.filter((report) => (report.source ?? '') === source)
    return [...this.unsaid.of(source), ...pending.map(statementOf)]
  }

  /** The sink is closed. Warns of everything unreported; later losses are counted and warned of at once. */
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
