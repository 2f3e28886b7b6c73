import type { Clock } from '../../base/clock.ts'
import type { LogField } from '../../base/log-fields.ts'
import type { SourceBatch } from '../batch/batch.ts'

/** Counts that every source has; each source adds its own. Metrics take every number of `dropped` under its name. */
export interface SourceStats {
  /** Records that were lost before they got into a batch, by reason. null: not known on this node. */
  readonly dropped: Readonly<Record<string, number | null>>
}

/**
 * For those of `dropped` that mean lost events: which stage lost them and why (EVENTS.md). The others are of no event of ours.
 * `counted: false` where the number is of times, and nobody can tell how many events that is.
 */
export type LossKinds = Readonly<Record<string, { where: string; why: string; counted?: boolean }>>

/** Records of one container and kind that were held back before they got into a batch, since the source began to count. */
export interface HeldRecords {
  /** Of container and kind, and the same for an agent that comes after. */
  key: string
  /** By which BPF records name it. */
  container: number
  /** As in the events of the kind. */
  operation: string
  held: number
  /** Of these, how many an agent before this one has said. */
  noted: number
}

/**
 * Where batches come from. Iterating sets the pace: a source that is not asked waits, and what then happens to the
 * events is its own matter (a file keeps them, a ring loses and counts them).
 *
 * One reader, once. The iteration ends after `stop`, or with `close`; leaving the loop closes the source. It throws
 * AuditSourceError when the source broke for good.
 */
export interface AuditSource<Stats extends SourceStats = SourceStats> extends AsyncIterable<SourceBatch> {
  /** The `source` of its batches: a path, or a word such as `multicast`. */
  readonly name: string
  readonly lossKinds?: LossKinds
  /** Behind the last batch; before the first one, where reading begins. Left out by what keeps no place. */
  readonly position?: unknown
  /** Counts so far; also after the end. */
  stats(): Stats
  /** What it lost between two batches is lost again where it is read again from before them. */
  readonly losesInOrder?: boolean
  /** What the counts of `stats` are, as of its last call, for `place`. Left out by what counts from its own start on. */
  readonly lossMark?: unknown
  /** Where an agent that comes after goes on, as JSON has it, under a name that it finds again. Left out by what says that elsewhere. */
  place?(position: unknown, lossMark: unknown): { name: string; place: unknown } | undefined
  /** What the source has kept from itself, as its rate is limited. Left out by those that have no rate. */
  held?(): readonly HeldRecords[]
  /** So many are said, which the next agent has to know. */
  noteHeld?(held: Pick<HeldRecords, 'key' | 'held'>): Promise<void>
  /** Records a second of a container and kind beyond which they are held back. */
  readonly heldRate?: number | undefined
  /** Takes nothing new. The reader gets what is there already, and then the end. */
  stop(): void
  /**
   * The bytes of a batch are needed no longer, and their memory serves for another one: making it anew costs a file source a third of
   * its work. Whoever keeps them does not call this.
   */
  giveBack?(batch: SourceBatch): void
  /** Ends at once and gives back what the source holds. A second call does nothing. */
  close(): void | Promise<void>
}

/** Something that the person who runs the agent should read in its log. */
export interface SourceNotice {
  level: 'info' | 'warn'
  /** For metrics and searches; does not change. */
  code: string
  message: string
  /** What can be done about it. */
  remedy?: string
  context: Readonly<Partial<Record<LogField, string | number | null>>>
}

export type Notify = (notice: SourceNotice) => void

/** A pause that can be cut short. One waits at a time; a `wake` while nobody waits cuts the next pause short. */
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
