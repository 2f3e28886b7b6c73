import { newline } from '../../base/bytes.ts'

/** Bytes that are passed on of a line longer than a chunk; the kernel's longest audit record has 8,970. */
const keptOfLongLine = 16_384
/** Ends a line that was cut for its length. */
export const cutMarker = Buffer.from(' [cut by varmor]\n')
const lineEnd = Buffer.from('\n')
const none = Buffer.alloc(0)

/** Which bytes of a chunk make a batch, and where the next chunk begins. */
export interface Cut {
  /** The range to pass on, empty if `start` is `end`, and what to put behind it. */
  start: number
  end: number
  ending: Uint8Array
  /** Bytes of the chunk that are done with. */
  consumed: number
  /** The next chunk begins in the middle of a line that is thrown away. */
  skipping: boolean
  /** Bytes of long lines that are thrown away. */
  skipped: number
  /** NULs thrown away in front of a line. */
  nuls: number
}

/**
 * Finds the whole lines of a chunk.
 *
 * - A last line without its newline waits for it, however long that takes: passed on in two halves it would be two
 * wrong records.
 *   When no more can come (`final`) it is passed on as it is.
 * - NULs in front of a line are what a file has where a writer kept its offset after a truncation.
 *
 * @param skipping the chunk begins in a line of which the rest is to be thrown away
 * @param full the chunk has the greatest size, so a line that does not end in it is too long
 */
export function cutLines(chunk: Buffer, skipping: boolean, full: boolean, final: boolean): Cut {
  const start = skipping ? chunk.indexOf(newline) + 1 : 0
  const cut: Cut = { start, end: start, ending: none, consumed: start, skipping: false, skipped: 0, nuls: 0 }
  if (skipping && start === 0) return { ...cut, consumed: chunk.length, skipping: true, skipped: chunk.length }
  cut.skipped = Math.max(0, start - 1)
  const end = chunk.lastIndexOf(newline) + 1
  if (end > start) return { ...cut, end, consumed: end }
  return cutUnended(chunk, cut, full, final)
}

/** No line ends behind `cut.start`. */
function cutUnended(chunk: Buffer, cut: Cut, full: boolean, final: boolean): Cut {
  const { start } = cut
  const text = behindNuls(chunk, start)
  if (text > start) return { ...cut, consumed: text, nuls: text - start }
  if (start === chunk.length || (full && start > 0)) return cut
  if (full) {
    const end = Math.min(keptOfLongLine, chunk.length >> 1)
    const skipped = chunk.length - end
    return { ...cut, end, ending: cutMarker, consumed: chunk.length, skipping: true, skipped }
  }
  return final ? { ...cut, end: chunk.length, ending: lineEnd, consumed: chunk.length } : cut
}

function behindNuls(bytes: Uint8Array, at: number): number {
  let i = at
  while (i < bytes.length && bytes[i] === 0) i++
  return i
}

/**
 * Moves what is no NUL together, in place. A Buffer, whose indexOf is several times as fast as that of other arrays.
 * @returns the number of bytes that remain
 */
export function dropNuls(bytes: Buffer): number {
  let nul = bytes.indexOf(0)
  if (nul === -1) return bytes.length
  let kept = nul
  while (nul !== -1) {
    const text = behindNuls(bytes, nul)
    nul = bytes.indexOf(0, text)
    const end = nul === -1 ? bytes.length : nul
    bytes.copyWithin(kept, text, end)
    kept += end - text
  }
  return kept
}
