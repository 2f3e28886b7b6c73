import type { Clock } from '../../base/clock.ts'
import type { LogField } from '../../base/log-fields.ts'
import type { SourceBatch } from '../batch/batch.ts'

/** Counts that every source has; each source adds its own. Each number of `dropped` becomes a metric under its name. */
export interface SourceStats {
  /** Records that were lost before they were in a batch, by reason. null: unknown on this node. */
  readonly dropped: Readonly<Record<string, number | null>>
}

/**
 * The stage and the reason (EVENTS.md) for each entry of `dropped` that means lost events; other entries are not about
 * our events. `counted: false`: the entry counts occasions, and the number of lost events is unknown.
 */
export type LossKinds = Readonly<Record<string, { where: string; why: string; counted?: boolean }>>

/**
 * Records of one container and kind that were held back before they were in a batch, since the source started to count.
 */
export interface HeldRecords {
  /** Key of container and kind, the same for a later agent. */
  key: string
  /** The container's number in BPF records. */
  container: number
  /** The `operation` of events of this kind. */
  operation: string
  held: number
  /** How many of these are noted as reported now, by this agent or an earlier agent. */
  readonly noted: number
}

/**
 * A source of batches for one reader. If it does not read, the source waits: a file keeps its events; a ring loses and
 * counts them. The iteration ends after `stop` or with `close`; leaving the loop closes the source. The iteration
 * throws AuditSourceError if the source broke for good.
 */
export interface AuditSource<Stats extends SourceStats = SourceStats> extends AsyncIterable<SourceBatch> {
  /** The `source` of its batches: a path, or a name such as `multicast`. */
  readonly name: string
  readonly lossKinds?: LossKinds
  /**
   * The position after the last batch; before the first batch, where reading starts. Absent if the source has no
   * positions.
   */
  readonly position?: unknown
  /** The counts so far, also after the end. */
  stats(): Stats
  /** Whether reading again from a position repeats the losses after it. */
  readonly losesInOrder?: boolean
  /**
   * A mark for `place`: the counts at the last call of `stats`. Absent if the source's counts start when it is opened.
   */
  readonly lossMark?: unknown
  /** Where a later agent continues, as JSON, with a stable name. Absent if the source stores this itself. */
  place?(position: unknown, lossMark: unknown): { name: string; place: unknown } | undefined
  /** Records that the source's rate limit held back. Absent without a rate limit. */
  held?(): readonly HeldRecords[]
  /** Notes that a count was reported, for the next agent and for `noted`. */
  noteHeld?(held: Pick<HeldRecords, 'key' | 'held'>): Promise<void>
  /** Maximum records per second of a container and kind; further records are held back. */
  readonly heldRate?: number | undefined
  /** Stops taking new data. The reader still gets the data that is already there. */
  stop(): void
  /**
   * Takes back the memory of a batch for reuse. Allocating it again takes a third of a file source's time. Do not call
   * this for bytes that are still in use.
   */
  giveBack?(batch: SourceBatch): void
  /** Ends at once and releases all resources. A second call does nothing. */
  close(): void | Promise<void>
}

/** A notice for the administrator in the agent's log. */
export interface SourceNotice {
  level: 'info' | 'warn'
  /** For metrics and searches. It never changes. */
  code: string
  message: string
  /** What the administrator can do. */
  remedy?: string
  context: Readonly<Partial<Record<LogField, string | number | null>>>
}

export type Notify = (notice: SourceNotice) => void

/**
 * A pause that can be interrupted. Only one caller may wait at a time. A `wake` while no caller waits ends the next
 * pause at once.
 */
export class Pause {
  readonly #clock: Clock
  #woken = false
  #end: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async wait(ms: number): Promise<void> {
    if (!this.#woken)
      await new Promise<void>((resolve) => {
        const timer = this.#clock.after(ms, resolve)
        this.#end = () => {
          timer.cancel()
          resolve()
        }
      })
    this.#end = undefined
    this.#woken = false
  }

  wake(): void {
    this.#woken = true
    this.#end?.()
  }
}
