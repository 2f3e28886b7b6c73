import type { DynamicResult } from '../../api/types.ts'
import type { Recorded } from './behaviour.ts'
import type { LeftOut } from './left-out.ts'

/** A part of what was recorded, small enough to be sent. A reader that has all of `count` has all. */
export interface Piece extends Recorded {
  /** From 0. */
  index: number
  count: number
}

/** One entry of a list of a `DynamicResult`, and the fields that lead to the list. */
type Entry = { path: readonly string[]; value: unknown; bytes: number }

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

function* entriesOf(value: object, path: readonly string[] = []): Generator<Entry> {
  for (const [name, each] of Object.entries(value)) {
    if (Array.isArray(each)) {
      for (const one of each) yield { path: [...path, name], value: one, bytes: bytesOf(one) + 1 }
    } else yield* entriesOf(each, [...path, name])
  }
}

function put(result: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...more] = path
  result[name!] ??= more.length === 0 ? [] : {}
  if (more.length === 0) (result[name!] as unknown[]).push(value)
  else put(result[name!] as Record<string, unknown>, more, value)
}

/** What the fields around the lists can take, of one piece. */
const FRAME = 1024

class Pieces {
  readonly all: Recorded[] = []
  private room = 0
  private readonly size: number

  constructor(size: number) {
    this.size = size - FRAME
  }

  /** The piece that has room for so many bytes. */
  for(bytes: number): Recorded {
    if (bytes > this.room) {
      this.all.push({ result: {}, leftOut: [] })
      this.room = this.size
    }
    this.room -= bytes
    return this.all.at(-1)!
  }
}

/**
 * Takes the recorded apart, in its order. Every piece is something recorded of its own, so those that arrive can be
 * merged in any order, and one that arrives twice changes nothing.
 * @param size bytes of a piece as JSON
 * @throws {RangeError} when one entry alone is larger than a piece: a name has at most 4096 characters, so from 64 KiB
 * on none is
 */
export function piecesOf({ result, leftOut }: Recorded, size: number): Piece[] {
  const pieces = new Pieces(size)
  const fits = (bytes: number) => {
    if (bytes <= size - FRAME) return
    throw new RangeError(`a piece of ${size} bytes has no room for an entry of ${bytes} bytes: send larger pieces`)
  }
  for (const { path, value, bytes } of entriesOf(result)) {
    fits(bytes)
    put(pieces.for(bytes).result as Record<string, unknown>, path, value)
  }
  for (const each of leftOut) {
    const bytes = bytesOf(each) + 1
    fits(bytes)
    pieces.for(bytes).leftOut.push(each)
  }
  if (pieces.all.length === 0) pieces.for(1)
  return pieces.all.map((piece, index) => ({ ...piece, index, count: pieces.all.length }))
}

/**
 * Puts pieces together that came in any order, and perhaps twice.
 * @returns the numbers of those that are missing when not all are there
 */
export function joinPieces(
  pieces: readonly Piece[],
): { ok: true; recorded: Recorded } | { ok: false; missing: number[] } {
  const count = pieces[0]?.count ?? 1
  const byIndex = new Map(pieces.map((piece) => [piece.index, piece]))
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !byIndex.has(i))
  if (missing.length > 0) return { ok: false, missing }
  const result: DynamicResult = {}
  const leftOut: LeftOut[] = []
  for (const [, piece] of [...byIndex].sort(([a], [b]) => a - b)) {
    for (const { path, value } of entriesOf(piece.result)) put(result as Record<string, unknown>, path, value)
    leftOut.push(...piece.leftOut)
  }
  return { ok: true, recorded: { result, leftOut } }
}
