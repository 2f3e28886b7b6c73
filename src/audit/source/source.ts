import type { Clock } from '../../base/clock.ts'
import type { LogField } from '../../base/log-fields.ts'
import type { SourceBatch } from '../batch/batch.ts'

/**
 * Counts that every source has. A source adds further counts. Each number in `dropped` becomes a metric of this name.
 */
export interface SourceStats {
  /** Records that were lost before they were in a batch, by reason. null: unknown on this node. */
  readonly dropped: Readonly<Record<string, number | null>>
}

/**
 * The stage and the reason (EVENTS.md) for each entry of `dropped` that means lost events. All other entries are not
 * about our events. `counted: false` means that the entry counts occasions with an unknown number of lost events.
 */
export type LossKinds = Readonly<Record<string, { where: string; why: string; counted?: boolean }>>

/**
 * The number of records of one container and kind that the source held back since it started to count.
 */
export interface HeldRecords {
  /** Key of container and kind. A later agent uses the same key. */
  key: string
  /** The container's number in BPF records. */
  container: number
  /** The `operation` of events of this kind. */
  operation: string
  held: number
  /** The part of `held` that this agent or an earlier agent has noted as reported. */
  readonly noted: number
}

/**
 * A source of batches for one reader. The source waits while its reader does not read. Meanwhile a file keeps all
 * events, but a ring may lose and count events. The iteration ends after `stop` or with `close`, and throws
 * AuditSourceError if the source failed permanently. Leaving the loop closes the source.
 */
export interface AuditSource<Stats extends SourceStats = SourceStats> extends AsyncIterable<SourceBatch> {
  /** The value of `source` in the batches: a path, or a name such as `multicast`. */
  readonly name: string
  readonly lossKinds?: LossKinds
  /**
   * The position after the last batch; before the first batch, the place where reading starts. Absent if the source
   * does not have positions.
   */
  readonly position?: unknown
  /** The counts so far, also after the end. */
  stats(): Stats
  /** Whether a second read from a position repeats the losses after the position. */
  readonly losesInOrder?: boolean
  /**
   * The counts at the last call of `stats`, for `place`. Absent if the counts start when the source is opened.
   */
  readonly lossMark?: unknown
  /** The place where a later agent continues, as JSON, with a stable name. Absent if the source stores it itself. */
  place?(position: unknown, lossMark: unknown): { name: string; place: unknown } | undefined
  /** Records that the source's rate limit held back. Absent without a rate limit. */
  held?(): readonly HeldRecords[]
  /** Stores that a count was reported. `noted` and the next agent then include the count. */
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
  /** Identifies the notice in metrics and searches. It never changes. */
  code: string
  message: string
  /** What the administrator can do. */
  remedy?: string
  context: Readonly<Partial<Record<LogField, string | number | null>>>
}

export type Notify = (notice: SourceNotice) => void

/**
 * A pause that `wake` interrupts. Only one caller may wait at a time. A `wake` without a waiting caller ends the next
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
