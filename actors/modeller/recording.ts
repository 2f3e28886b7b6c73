import { MAX_GAPS, type PieceContent, type RecordingGap, type RecordingSummary } from '../../src/api/model-report.ts'
import type { DynamicResult } from '../../src/api/types.ts'
import { asWall, isoTime, type WallMs } from '../../src/base/clock.ts'
import type { Collector } from './collector.ts'
import type { StoredRecording } from './ports.ts'

/** One node's recording of the workloads of one ArmorProfile. */
export class OwnRecording {
  /** See `recordingOf`. */
  readonly id: string
  /** NaN on a node that joined after the recording had ended. */
  readonly began: WallMs
  complete: boolean
  /** The recording has changes that are not on disk. */
  dirty = true
  /** Number of pieces of the recording beyond the manager's limit. */
  notSent = 0
  readonly #behaviour: Collector
  #records = 0
  #ofRuntime = 0
  #lost = 0
  #gaps: RecordingGap[] = []

  constructor(id: string, began: WallMs, complete: boolean, behaviour: Collector) {
    this.id = id
    this.began = began
    this.complete = complete
    this.#behaviour = behaviour
  }

  static of(stored: StoredRecording, behaviour: Collector): OwnRecording {
    const recording = new OwnRecording(stored.id, asWall(stored.began), stored.complete, behaviour)
    behaviour.addPiece(stored.behaviour)
    recording.#records = stored.records
    recording.#ofRuntime = stored.ofRuntime
    recording.#lost = stored.lost
    recording.#gaps = stored.gaps
    recording.dirty = false
    return recording
  }

  /** Approximate bytes in memory and on disk. */
  get bytes(): number {
    return this.#behaviour.bytes
  }

  add(found: DynamicResult, records: number, ofRuntime: number): void {
    this.#behaviour.add(found)
    this.#records += records
    this.#ofRuntime += ofRuntime
    this.dirty = true
  }

  lose(records: number): void {
    this.#lost += records
    this.dirty = true
  }

  /** Notes a gap: behaviour in this time may be missing. If there are too many gaps, merges the earliest gaps. */
  miss(from: WallMs, to: WallMs, why: string): void {
    this.#gaps.push({ from: isoTime(from), to: isoTime(to), why })
    const [first, second, ...rest] = this.#gaps
    if (this.#gaps.length > MAX_GAPS)
      this.#gaps = [{ ...first!, to: second!.to, why: 'the agent was not running at times' }, ...rest]
    this.dirty = true
  }

  stored(): StoredRecording {
    const { id, began, complete } = this
    const counts = { records: this.#records, ofRuntime: this.#ofRuntime, lost: this.#lost }
    return { id, began, complete, ...counts, gaps: this.#gaps, behaviour: this.#behaviour.state() }
  }

  pieces(bytes: number): PieceContent[] {
    return this.#behaviour.pieces(bytes)
  }

  summary(): RecordingSummary {
    const notSent = this.notSent > 0 ? [{ kind: 'pieces', count: this.notSent }] : []
    return {
      began: Number.isNaN(this.began) ? '' : isoTime(this.began),
      records: this.#records,
      ofRuntime: this.#ofRuntime,
      lost: this.#lost,
      leftOut: [...notSent, ...this.#behaviour.leftOut()].slice(0, 32),
      gaps: this.#gaps,
    }
  }
}
