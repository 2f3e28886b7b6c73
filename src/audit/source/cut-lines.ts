import { newline } from '../../base/bytes.ts'

/** Bytes that are kept of a line longer than a chunk. The kernel's longest audit record has 8,970 bytes. */
const keptOfLongLine = 16_384
/** The end of a line that was cut because it was too long. */
export const cutMarker = Buffer.from(' [cut by varmor]\n')
const lineEnd = Buffer.from('\n')
const none = Buffer.alloc(0)

/** The bytes of a chunk that form a batch, and the start of the next chunk. */
export interface Cut {
  /** The batch consists of the bytes from `start` to `end`, and of `ending`, which must be appended. */
  start: number
  end: number
  ending: Uint8Array
  /** Number of bytes of the chunk that need not be read again. */
  consumed: number
  /** Whether the next chunk starts inside a line whose rest is skipped. */
  skipping: boolean
  /** Number of bytes of long lines that were skipped. */
  skipped: number
  /** Number of NULs that were skipped before a line. */
  nuls: number
}

/**
 * Finds the complete lines of a chunk. A last line without a newline waits for further data, except with `final`.
 * @param skipping whether the chunk starts inside a line whose rest must be skipped
 * @param full whether the chunk has the maximum size. Then a line that does not end in the chunk is too long
 * @param final whether further data cannot arrive
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

/** Cuts a chunk that has no line end after `cut.start`. */
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
 * Removes NULs in place. The parameter is a Buffer, because Buffer.indexOf() is several times as fast as
 * Uint8Array.indexOf().
 * @returns the number of remaining bytes
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
