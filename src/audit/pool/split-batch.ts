import type { BatchResult, SourceBatch, UnresolvedReason } from '../batch/batch.ts'
import { recordsOf } from '../sink/agent-events.ts'

type Batch = Omit<SourceBatch, 'position'>

/** Cuts a batch between records into up to `pieces` parts with about the same number of records. */
export function splitBatch(batch: Batch, pieces: number): Batch[] {
  const { bytes, format } = batch
  const starts: number[] = []
  for (const record of recordsOf(bytes, format)) starts.push(record.byteOffset - bytes.byteOffset)
  const size = Math.max(1, Math.ceil(starts.length / pieces))
  const cuts = starts.filter((_, i) => i % size === 0)
  return cuts.map((start, i) => ({ ...batch, bytes: bytes.subarray(start, cuts[i + 1]) }))
}

/** Merges the results of a batch's pieces. */
export function mergeResults(seq: number, pieces: readonly BatchResult[]): BatchResult {
  const output = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.output.length, 0))
  const merged: BatchResult = {
    ...{ seq, output, read: 0, written: 0, filtered: 0, undecodable: 0, untrusted: 0 },
    ...{ undecodableAt: [], deferred: [], counts: [], unresolved: {} },
    kernelTime: pieces.find(({ kernelTime }) => kernelTime !== undefined)?.kernelTime,
  }
  const kinds: NonNullable<BatchResult['kinds']> = []
  const recorded: NonNullable<BatchResult['recorded']> = []
  let length = 0
  for (const piece of pieces) {
    output.set(piece.output, length)
    for (const { start, counts } of piece.kinds ?? []) kinds.push({ start: length + start, counts })
    length += piece.output.length
    for (const at of piece.undecodableAt) merged.undecodableAt.push(merged.read + at)
    for (const count of ['read', 'written', 'filtered', 'undecodable', 'untrusted'] as const)
      merged[count] += piece[count]
    for (const deferred of piece.deferred) merged.deferred.push(deferred)
    for (const count of piece.counts) merged.counts.push(count)
    for (const one of piece.recorded ?? []) recorded.push(one)
    for (const [reason, count] of Object.entries(piece.unresolved) as [UnresolvedReason, number][])
      merged.unresolved[reason] = (merged.unresolved[reason] ?? 0) + count
  }
  return {
    ...merged,
    ...(kinds.length > 0 && { kinds }),
    ...(recorded.length > 0 && { recorded }),
  }
}
