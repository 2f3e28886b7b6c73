import type { PieceContent } from '../../src/api/model-report.ts'
import type { DynamicResult } from '../../src/api/types.ts'
import type { Quota } from '../../src/model/behaviour/room.ts'
import { Behaviour, defaultLimits, fromDynamicResult, type LeftOut, piecesOf } from '../../src/model/behaviour.ts'

/** Number of facts of one kind that exceeded the limits. */
export interface LeftOutCount {
  kind: string
  count: number
}

/**
 * Collects what workloads of one profile do, in bounded memory. The order of facts does not matter; a repeated fact
 * counts once.
 */
export class Collector {
  readonly #behaviour: Behaviour

  /** @param room the memory quota, which this collector shares with other collectors */
  constructor(room?: Quota) {
    this.#behaviour = new Behaviour(defaultLimits, room)
  }

  /** Approximate memory use. */
  get bytes(): number {
    return this.#behaviour.bytes
  }

  add(found: DynamicResult): void {
    this.#behaviour.merge(fromDynamicResult(found))
  }

  /** Adds the content of a `state` that this or another collector made. */
  addPiece({ result, leftOut }: PieceContent): void {
    this.#behaviour.merge(fromDynamicResult(result, leftOut as LeftOut[]))
  }

  /** All facts, sorted, in JSON form: equal facts give equal output. */
  state(): PieceContent {
    return this.#behaviour.toRecorded()
  }

  /** All facts in one or more pieces; each piece has at most `bytes` of JSON and is complete by itself. */
  pieces(bytes: number): PieceContent[] {
    return piecesOf(this.#behaviour.toRecorded(), bytes).map(({ result, leftOut }) => ({ result, leftOut }))
  }

  leftOut(): LeftOutCount[] {
    const counts = new Map<string, number>()
    for (const { kind, count } of this.#behaviour.toRecorded().leftOut)
      counts.set(kind, (counts.get(kind) ?? 0) + count)
    return Array.from(counts, ([kind, count]) => ({ kind, count }))
  }
}
