import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { newline } from '../../base/bytes.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import type { SourceBatch } from '../batch/batch.ts'
import { AuditSourceError } from './audit-source-error.ts'
import { type AuditSource, type LossKinds, Pause, type SourceStats } from './source.ts'

/** The position in the kernel's log. Sequence numbers start again at each boot. */
export interface KmsgPosition {
  boot: string
  sequence: number
}

/** Reads records with read(2). Tests replace it. */
export interface KmsgDevice {
  /**
   * Reads one record to `offset` in `buffer`.
   * @returns its bytes; 'empty' if there is no record now; 'overwritten' if the next record is lost
   */
  read(buffer: Buffer, offset: number): number | 'empty' | 'overwritten'
  close(): void
}

export interface KmsgOptions {
  /**
   * Where to start. `now`, the default, reads only later records. A position is used within its boot; in another boot,
   * reading starts at the first record.
   */
  from?: 'now' | 'beginning' | KmsgPosition
  /** Maximum bytes of a batch. Default 131,072. */
  chunkBytes?: number
  /**
   * Milliseconds between two checks while there are no records. Default 100. With it, the kernel's smallest ring of
   * 128 KiB is enough for about 8,000 records per second.
   */
  pollMs?: number
  /** Milliseconds until the next check after records. Default 10. */
  napMs?: number
  clock?: Clock
  device?: KmsgDevice
  boot?: string
}

export interface KmsgStats extends SourceStats {
  /** Number of records that were passed on. */
  received: number
  readonly dropped: {
    /** Number of records that the kernel overwrote before they were read. It is the sum of the gaps in the numbers. */
    readonly overwritten: number
    /** Number of records without a readable number. */
    readonly malformed: number
  }
  batches: number
  bytes: number
}

/**
 * Bytes for a record with its continuation lines: more than the kernel's PRINTK_MESSAGE_MAX (8,192 until Linux 6.4).
 * With a smaller buffer, read(2) fails with EINVAL.
 */
const maxRecord = 16_384
const comma = 0x2c
/**
 * Maximum bytes that are read after `stop`, so that a kernel that logs without end does not delay the shutdown. A ring
 * has fewer bytes.
 */
const maxAfterStop = 16 * 1_048_576
const defaults = { chunkBytes: 131_072, pollMs: 100, napMs: 10, from: 'now' } as const

/**
 * The kernel's log. It is polled, because a blocking read would occupy a thread of Node.js, and keep the process from
 * ending. Nearly all losses happen earlier, in the kernel, because of printk's rate limit.
 */
export class KmsgSource implements AuditSource<KmsgStats> {
  readonly name = '/dev/kmsg'
  readonly losesInOrder = true
  readonly lossKinds: LossKinds = {
    overwritten: { where: 'kmsg', why: 'overwritten' },
    malformed: { where: 'kmsg', why: 'malformed' },
  }
  readonly #options: Required<Pick<KmsgOptions, 'chunkBytes' | 'pollMs' | 'napMs'>>
  readonly #clock: Clock
  readonly #pause: Pause
  readonly #device: KmsgDevice
  readonly #boot: string
  /** Records are gathered here and then copied, so that a check without records does not allocate memory. */
  readonly #buffer: Buffer
  readonly #counts = { received: 0, batches: 0, bytes: 0 }
  readonly #dropped = { overwritten: 0, malformed: 0 }
  /** Number that the next record should have; -1 before the first record. */
  #expected = -1
  /** Number of records in the buffer. */
  #records = 0
  #reading = false
  #stopping = false
  #closed = false
  #leftAfterStop = maxAfterStop

  /** @throws {AuditSourceError} NOT_PERMITTED, SYSTEM */
  constructor(options: KmsgOptions = {}) {
    const { clock = systemClock, device, boot, from, ...others } = { ...defaults, ...options }
    this.#options = others
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(others.chunkBytes, 2 * maxRecord))
    this.#clock = clock
    this.#pause = new Pause(clock)
    this.#boot = boot ?? bootId()
    this.#device = device ?? openKmsg(this.name)
    if (from === 'now') this.#skipAll()
    else if (from !== 'beginning' && from.boot === this.#boot) this.#expected = from.sequence + 1
  }

  /** The position after the last batch. */
  get position(): KmsgPosition {
    return { boot: this.#boot, sequence: this.#expected - 1 }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    if (this.#reading) throw new Error('a kmsg source has one reader')
    this.#reading = true
    const { napMs, pollMs } = this.#options
    try {
      while (!this.#closed) {
        const length = this.#gather()
        if (length > 0) yield this.#batch(length)
        else if (this.#stopping) break
        if (this.#stopping) this.#leftAfterStop -= length
        if (this.#leftAfterStop < 0) break
        if (!this.#stopping && length < this.#buffer.length / 2) await this.#pause.wait(length > 0 ? napMs : pollMs)
      }
    } finally {
      this.close()
    }
  }

  stop(): void {
    this.#stopping = true
    this.#pause.wake()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pause.wake()
    this.#device.close()
  }

  stats(): KmsgStats {
    return { ...this.#counts, dropped: { ...this.#dropped } }
  }

  #skipAll(): void {
    while (this.#gather() > 0);
    this.#records = 0
    this.#dropped.overwritten = 0
    this.#dropped.malformed = 0
  }

  /** Reads records until all are read, or the buffer is full. @returns the number of bytes */
  #gather(): number {
    const buffer = this.#buffer
    let at = 0
    while (at + maxRecord <= buffer.length) {
      const read = this.#device.read(buffer, at)
      if (read === 'empty') break
      if (read !== 'overwritten' && this.#isNew(buffer, at, read)) at += read
    }
    return at
  }

  /** Checks a record's number and counts the records that are lost between it and the previous record. */
  #isNew(buffer: Buffer, at: number, length: number): boolean {
    const sequence = sequenceOf(buffer, at, at + length)
    if (sequence === -1) {
      this.#dropped.malformed++
      return false
    }
    if (sequence < this.#expected) return false
    if (this.#expected !== -1) this.#dropped.overwritten += sequence - this.#expected
    this.#expected = sequence + 1
    this.#records++
    return true
  }

  #batch(length: number): SourceBatch {
    const bytes = new Uint8Array(this.#buffer.subarray(0, length))
    this.#counts.received += this.#records
    this.#records = 0
    this.#counts.bytes += length
    const readAt = Math.floor(this.#clock.wall() / 1_000)
    const { name: source, position } = this
    return { source, seq: this.#counts.batches++, format: 'kmsg', bytes, position, readAt }
  }
}

/** The sequence in `priority,sequence,usec,flags;text`; -1 if it is not readable, or the record lacks its newline. */
function sequenceOf(buffer: Buffer, start: number, end: number): number {
  if (buffer[end - 1] !== newline) return -1
  const first = buffer.indexOf(comma, start) + 1
  if (first === 0 || first >= end) return -1
  let [sequence, at] = [0, first]
  for (; buffer[at]! >= 0x30 && buffer[at]! <= 0x39; at++) sequence = sequence * 10 + buffer[at]! - 0x30
  return at > first && buffer[at] === comma ? sequence : -1
}

const kmsgPosition = Type.Object({
  boot: Type.String({ maxLength: 64 }),
  // -2 and -1 stand for a position before the first record.
  sequence: Type.Integer({ minimum: -2, maximum: Number.MAX_SAFE_INTEGER }),
})

/** Parses a checkpoint's value; undefined if it is not a position in this log. */
export function parseKmsgPosition(value: unknown): KmsgPosition | undefined {
  if (!Value.Check(kmsgPosition, value)) return undefined
  const { boot, sequence } = value
  return { boot, sequence }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch (cause) {
    throw explainKmsgError(cause, 'read the id of this boot')
  }
}

function openKmsg(path: string): KmsgDevice {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw explainKmsgError(cause, 'open the log of the kernel')
  }
  return {
    read(buffer, offset) {
      try {
        return readSync(fd, buffer, offset, buffer.length - offset, null) || 'empty'
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if (code === 'EAGAIN') return 'empty'
        if (code === 'EPIPE') return 'overwritten'
        throw explainKmsgError(error, 'read the log of the kernel')
      }
    },
    close: () => closeSync(fd),
  }
}

function explainKmsgError(cause: unknown, message: string): AuditSourceError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  if (errno === 'EPERM' || errno === 'EACCES') {
    const remedy = 'run as root with CAP_SYSLOG, and mount /dev/kmsg into the container'
    return new AuditSourceError('NOT_PERMITTED', message, remedy, { errno }, { cause })
  }
  const remedy = errno === 'ENOENT' ? 'mount /dev/kmsg into the container' : 'see errno'
  return new AuditSourceError('SYSTEM', message, remedy, { errno }, { cause })
}
