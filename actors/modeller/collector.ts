import type { PieceContent } from '../../src/api/model-report.ts'
import type { DynamicResult } from '../../src/api/types.ts'
import type { Room } from '../../src/model/behaviour/room.ts'
import { Behaviour, defaultLimits, fromDynamicResult, type LeftOut, piecesOf } from '../../src/model/behaviour.ts'

/** How much of one kind there was no room for. */
export interface LeftOutCount {
  kind: string
  count: number
}

/**
 * Gathers what workloads of one profile did, in bounded memory. The order in which facts come does not matter, and the same fact twice
 * is one.
 */
export class Collector {
  readonly #behaviour: Behaviour

  /** @param room that it shares with others */
  constructor(room?: Room) {
    this.#behaviour = new Behaviour(defaultLimits, room)
  }

  /** That it takes, about. */
  get bytes(): number {
    return this.#behaviour.bytes
  }

  add(found: DynamicResult): void {
    this.#behaviour.merge(fromDynamicResult(found))
  }

  /** Also what `state` has given, of this collector or of another one. */
  addPiece({ result, leftOut }: PieceContent): void {
    this.#behaviour.merge(fromDynamicResult(result, leftOut as LeftOut[]))
  }

  /** All of it as JSON has it, sorted: equal for equal facts. */
  state(): PieceContent {
    return this.#behaviour.toRecorded()
  }

  /** All of it in pieces, each of at most so many bytes of JSON and a whole one by itself; at least one. */
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
