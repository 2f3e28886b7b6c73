import type { Clock } from '../../base/clock.ts'
import type { LogField } from '../../base/log-fields.ts'
import type { SourceBatch } from '../batch/batch.ts'

/** Counts that every source has; each source adds its own. Metrics export every number of `dropped` under its name. */
export interface SourceStats {
  /** Records lost before they got into a batch, by reason. null: unknown on this node. */
  readonly dropped: Readonly<Record<string, number | null>>
}

/**
 * For the entries of `dropped` that mean lost events: the stage and the reason (EVENTS.md). Other entries are no events
 * of ours. `counted: false`: the number counts occasions, and the number of events is unknown.
 */
export type LossKinds = Readonly<Record<string, { where: string; why: string; counted?: boolean }>>

/** Records of one container and kind held back before they got into a batch, since the source started to count. */
export interface HeldRecords {
  /** Key of container and kind; a later agent sees the same. */
  key: string
  /** The container's number in BPF records. */
  container: number
  /** As in events of this kind. */
  operation: string
  held: number
  /** Part of these that is noted as reported by now, by this agent or an earlier one. */
  readonly noted: number
}

/**
 * A source of batches. The reader sets the pace: an unread source waits; what happens to events then depends on it (a
 * file keeps them, a ring loses and counts them).
 *
 * One reader, once. The iteration ends after `stop` or with `close`; leaving the loop closes the source. It throws
 * AuditSourceError if the source broke for good.
 */
export interface AuditSource<Stats extends SourceStats = SourceStats> extends AsyncIterable<SourceBatch> {
  /** The `source` of its batches: a path, or a word such as `multicast`. */
  readonly name: string
  readonly lossKinds?: LossKinds
  /** After the last batch; before the first one, where reading starts. Absent if the source has no positions. */
  readonly position?: unknown
  /** Counts so far; also after the end. */
  stats(): Stats
  /** Its losses between two batches happen again when it is read again from before them. */
  readonly losesInOrder?: boolean
  /** State of the counts at the last call of `stats`, for `place`. Absent if the source counts from its own start. */
  readonly lossMark?: unknown
  /** Where a later agent continues, as JSON, under a stable name. Absent if the source stores that elsewhere. */
  place?(position: unknown, lossMark: unknown): { name: string; place: unknown } | undefined
  /** Records that the source's rate limit held back. Absent without a rate limit. */
  held?(): readonly HeldRecords[]
  /** Notes a reported count, for the next agent and for `noted`. */
  noteHeld?(held: Pick<HeldRecords, 'key' | 'held'>): Promise<void>
  /** Records per second of a container and kind beyond which they are held back. */
  readonly heldRate?: number | undefined
  /** Stops taking new data. The reader gets what is already there, and then the end. */
  stop(): void
  /**
   * Returns a batch's memory for reuse: allocating it again costs a file source a third of its work. Do not call it for
   * bytes that are still in use.
   */
  giveBack?(batch: SourceBatch): void
  /** Ends at once and releases all resources. A second call does nothing. */
  close(): void | Promise<void>
}

/** A notice for the administrator in the agent's log. */
export interface SourceNotice {
  level: 'info' | 'warn'
  /** For metrics and searches; it never changes. */
  code: string
  message: string
  /** What the administrator can do. */
  remedy?: string
  context: Readonly<Partial<Record<LogField, string | number | null>>>
}

export type Notify = (notice: SourceNotice) => void

/**
 * A pause that can be interrupted. One caller waits at a time; a `wake` without a waiting caller shortens the next
 * pause.
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
