import type { DynamicResult } from '../../api/types.ts'
import type { Recorded } from './behaviour.ts'
import type { LeftOut } from './left-out.ts'

/** A part of a recording, small enough to be sent. The recording is complete if a reader has all `count` pieces. */
export interface Piece extends Recorded {
  /** Number of the piece, from 0. */
  index: number
  count: number
}

/** One entry of a list in a `DynamicResult`, and the field names that lead to the list. */
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

/** Maximum bytes of the fields around the lists of one piece. */
const FRAME = 1024

class Pieces {
  readonly all: Recorded[] = []
  private room = 0
  private readonly size: number

  constructor(size: number) {
    this.size = size - FRAME
  }

  /** Returns a piece into which an entry of this many bytes fits. */
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
 * Splits a recording into pieces, in order. Every piece is a valid recording, so pieces can be merged in any order, and
 * a repeated piece changes nothing.
 * @param size maximum bytes of a piece as JSON
 * @throws {RangeError} if a single entry is larger than a piece; names have at most 4096 characters, so 64 KiB always
 * suffice
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
 * Joins pieces, which may come in any order and more than once.
 * @returns the recording, or the numbers of missing pieces
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
