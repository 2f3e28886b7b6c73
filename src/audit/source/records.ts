import type { SourceBatch } from '../batch/batch.ts'
import { largestRecord } from '../decode/bpf-header.ts'
import { header } from '../decode/bpf-record.ts'
import type { AuditSource, LossKinds, SourceStats } from './source.ts'

export interface RecordOptions {
  /** The `source` of its batches. Default `bpf`. */
  name?: string
  /** Bytes that may wait to be read. What does not fit is dropped and counted. Default 8 MiB. */
  maximalBytes?: number
  /** Milliseconds since the epoch. */
  now?: () => number
}

export interface RecordStats extends SourceStats {
  /** Records that were pushed whole, those that were then dropped included. */
  received: number
  readonly dropped: {
    /** The kernel's ring was full. */
    readonly ringFull: number
    /** Nobody read, and the bound was reached. */
    readonly queueFull: number
    /**
     * Pieces of buffers, each from a record on that had an impossible length; how many records that are nobody can
     * tell.
     */
    readonly malformed: number
    /** Pushed after the end. */
    readonly late: number
    /** Not read by anybody when the source was closed. */
    readonly discarded: number
  }
  malformedBytes: number
  batches: number
  /** Bytes that wait. */
  waiting: number
}

interface Waiting {
  bytes: Uint8Array
  records: number
  readAt: number
}

const longest = largestRecord()

/** How far the whole records of a buffer go, and how many they are. */
export function wholeRecords(bytes: Uint8Array): { end: number; records: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let [end, records] = [0, 0]
  while (end + header.size <= bytes.length) {
    const size = view.getUint32(end + header.at.size, true)
    if (size < header.size || size > longest || size > bytes.length - end) break
    end += size
    records++
  }
  return { end, records }
}

/**
 * Records of the BPF ring buffer (src/audit/decode/bpf-record.ts), given by whoever polls the ring. A full queue loses and
 * counts.
 */
export class RecordSource implements AuditSource<RecordStats> {
  readonly name: string
  readonly lossKinds: LossKinds = {
    ringFull: { where: 'ring', why: 'full' },
    malformed: { where: 'ring', why: 'malformed', counted: false },
    queueFull: { where: 'queue', why: 'full' },
    late: { where: 'queue', why: 'stopped' },
    discarded: { where: 'queue', why: 'stopped' },
  }
  readonly #maximalBytes: number
  readonly #now: () => number
  readonly #queue: Waiting[] = []
  #waiting = 0
  #received = 0
  #batches = 0
  #malformedBytes = 0
  readonly #dropped = { ringFull: 0, queueFull: 0, malformed: 0, late: 0, discarded: 0 }
  #wake: () => void = () => undefined
  #reading = false
  #ended = false

  constructor({ name = 'bpf', maximalBytes = 8 * 1_048_576, now = Date.now }: RecordOptions = {}) {
    this.name = name
    this.#maximalBytes = maximalBytes
    this.#now = now
  }

  /**
   * Takes a buffer of records, one behind the other. It must be alone in its ArrayBuffer, which belongs to the source
   * from now on.
   * @returns whether all of it will be read
   */
  push(bytes: Uint8Array): boolean {
    const { end, records } = wholeRecords(bytes)
    this.#received += records
    if (end < bytes.length) {
      this.#dropped.malformed++
      this.#malformedBytes += bytes.length - end
    }
    return this.#accept(bytes.subarray(0, end), records) && end === bytes.length
  }

  /** Adds records that the kernel side has counted as lost. */
  lost(records: number): void {
    this.#dropped.ringFull += records
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    if (this.#reading) throw new Error('a record source has one reader')
    this.#reading = true
    try {
      for (;;) {
        const next = this.#queue.shift()
        if (next !== undefined) yield this.#batch(next)
        else if (this.#ended) break
        else await this.#woken()
      }
    } finally {
      this.close()
    }
  }

  stop(): void {
    this.#ended = true
    this.#wake()
  }

  close(): void {
    for (const { records } of this.#queue.splice(0)) this.#dropped.discarded += records
    this.#waiting = 0
    this.stop()
  }

  stats(): RecordStats {
    const [received, malformedBytes, batches, waiting] = [
      this.#received,
      this.#malformedBytes,
      this.#batches,
      this.#waiting,
    ]
    return { received, malformedBytes, batches, waiting, dropped: { ...this.#dropped } }
  }

  #accept(bytes: Uint8Array, records: number): boolean {
    if (records === 0) return true
    const full = this.#waiting + bytes.length > this.#maximalBytes
    if (this.#ended || full) {
      this.#dropped[this.#ended ? 'late' : 'queueFull'] += records
      return false
    }
    this.#queue.push({ bytes, records, readAt: Math.floor(this.#now() / 1_000) })
    this.#waiting += bytes.length
    this.#wake()
    return true
  }

  #batch({ bytes, readAt }: Waiting): SourceBatch {
    this.#waiting -= bytes.length
    return { source: this.name, seq: this.#batches++, format: 'record', bytes, readAt }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
