import { Buffer } from 'node:buffer'
import { mebibyte, newline, space } from '../../base/bytes.ts'
import { header } from '../decode/bpf-record.ts'
import type { BatchFormat, SourceBatch } from './batch.ts'
import { sharedMemory } from './buffer-store.ts'

export interface StreamOptions {
  source: string
  format: BatchFormat
  /** Approximate bytes of a batch. Default 256 KiB. */
  size?: number
  /**
   * Maximum bytes of a line. A longer line is cut, so that a file without line ends does not fill the memory. Default
   * 1 MiB.
   */
  max?: number
}

/** Cuts a stream of bytes into batches. At the end of the stream, the remaining bytes become the last batch. */
export async function* streamBatches(
  stream: AsyncIterable<Uint8Array>,
  { source, format, size = 256 * 1024, max = mebibyte }: StreamOptions,
): AsyncGenerator<SourceBatch> {
  let [pieces, length, seq] = [[] as Uint8Array[], 0, 0]
  for await (const piece of stream) {
    pieces.push(piece)
    length += piece.length
    if (length < size) continue
    const bytes = Buffer.concat(pieces)
    const end = lastBoundary(bytes, format)
    if (end === 0 && length < max) {
      pieces = [bytes]
      continue
    }
    const cut = end === 0 ? length : end
    yield { source, seq: seq++, format, bytes: own(bytes.subarray(0, cut)) }
    pieces = [bytes.subarray(cut)]
    length -= cut
  }
  if (length > 0) yield { source, seq, format, bytes: own(Buffer.concat(pieces)) }
}

/** Copies the bytes into memory that workers share. */
function own(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(sharedMemory(bytes.length))
  copy.set(bytes)
  return copy
}

/** End of the last record that is certainly complete; 0 if there is no complete record. */
export function lastBoundary(bytes: Uint8Array, format: BatchFormat): number {
  if (format === 'record') return lastRecord(bytes)
  let end = bytes.lastIndexOf(newline) + 1
  // A kmsg record continues while lines start with a space, so it ends where the next record starts.
  while (format === 'kmsg' && end > 0 && (end === bytes.length || bytes[end] === space))
    end = end < 2 ? 0 : bytes.lastIndexOf(newline, end - 2) + 1
  return end
}

function lastRecord(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let end = 0
  while (end + 4 <= bytes.length) {
    const size = view.getUint32(end, true)
    // The size is impossible, so the rest of the stream cannot be decoded. Pass it on as it is.
    if (size < header.size) return bytes.length
    if (end + size > bytes.length) break
    end += size
  }
  return end
}
