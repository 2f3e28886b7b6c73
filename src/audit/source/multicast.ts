import { getSystemErrorName } from 'node:util'
import { mebibyte } from '../../base/bytes.ts'
import type { SourceBatch } from '../batch/batch.ts'
import { BufferStore, sharedMemory } from '../batch/buffer-store.ts'
import {
  type AuditAddon,
  type AuditListener,
  explainOpenError,
  type ListenerOptions,
  type ListenerStats,
  loadAuditAddon,
  systemError,
} from './audit-addon.ts'
import { AuditSourceError } from './audit-source-error.ts'
import { networkNamespace } from './network-namespace.ts'
import type { AuditSource, LossKinds, SourceStats } from './source.ts'

/** A message type, or the first and the last of a range. */
export type RecordTypes = readonly (number | readonly [first: number, last: number])[]

/** USER_AVC (AppArmor's records of dbus), SECCOMP, and the range of the security modules (1400 is AVC). */
export const violationTypes: RecordTypes = [1107, 1326, [1400, 1499]]

export interface MulticastOptions extends Partial<Omit<ListenerOptions, 'types'>> {
  /** Which records are handed on; the others are counted as filtered. Default: `violationTypes`. */
  types?: RecordTypes
}

/** What the source stands on; a test gives its own. */
export interface MulticastPorts {
  addon: AuditAddon
  network: ReturnType<typeof networkNamespace>
}

export interface MulticastStats extends SourceStats {
  /** Messages taken from the kernel: passed, filtered, or dropped as forged, malformed, too long or discarded. */
  received: number
  passed: number
  filtered: number
  dropped: {
    /** Records that found the socket's buffer full, because the reader was too slow. null: the kernel cannot say. */
    socketFull: number | null
    /**
     * Records of any type that the kernel counted as lost before they got to a socket: its backlog was full, or its rate
     * limit. An upper bound: with audit=1 on the command line and no audit daemon, the kernel also counts what no longer
     * fits into the queue that waits for one, although we get it. null: the kernel may not be asked.
     */
    kernelLost: number | null
    /** Sent by a process and not by the kernel. */
    forged: number
    malformed: number
    tooLong: number
    /** Not read by anybody when the source was closed. */
    discarded: number
  }
  /** Bytes, as the kernel accounts them. */
  socketBuffer: number
  /** The kernel's limit of waiting records; nulls if it may not be asked. `refused` is the name of the errno of a refusal. */
  backlogLimit: { before: number | null; after: number | null; refused: string | null }
  /** Times that the thread stopped reading because nobody took its batches. */
  stalls: number
  /** PID of the audit daemon that runs beside, 0 if none does. */
  auditd: number | null
  /** The kernel's switch: 0 off, 1 on, 2 on and locked; null if it may not be asked. Records of our types come with each. */
  auditEnabled: number | null
  /** Changes of audit's settings or rules, and removals of rules of the list `exclude` among them. */
  configChanges: number
  exclusionsRemoved: number
  network: 'initial' | 'unknown'
}

/**
 * A record takes some 750 bytes of the socket's buffer, which the kernel makes twice as large as asked for: a burst of 80,000
 * fits whole, however slow we are. Of the kernel's queue, where a record takes 2.3 KB, one part in three is for the times when
 * its thread does not get a processor. Both take memory only while records wait.
 */
const defaults = {
  batchBytes: mebibyte,
  batches: 16,
  flushMs: 1,
  napMs: 1,
  sampleMs: 1_000,
  receiveBuffer: 32 * mebibyte,
  backlogLimit: 32_768,
  feed: 0,
}

/** Pieces of memory that wait for the next batches: more are seldom on their way at a time. */
const mostSpare = 8

/**
 * Audit records as the kernel sends them to every listener, beside an audit daemon or without one. Reading the batches
 * sets the pace: while nobody asks for the next one, at most `batches` of them wait, then the socket's buffer fills,
 * and what finds it full is counted in `dropped.socketFull`.
 */
export class MulticastSource implements AuditSource<MulticastStats> {
  readonly name = 'multicast'
  readonly lossKinds: LossKinds = {
    kernelLost: { where: 'kernel', why: 'backlog' },
    socketFull: { where: 'socket', why: 'full' },
    malformed: { where: 'socket', why: 'malformed' },
    tooLong: { where: 'socket', why: 'too-long' },
    discarded: { where: 'ring', why: 'stopped' },
  }
  readonly #addon: AuditAddon
  readonly #listener: AuditListener
  readonly #network: 'initial' | 'unknown'
  readonly #batchBytes: number
  /** Workers read batches where they are, and give them back. */
  readonly #memory: BufferStore<SharedArrayBuffer>
  #wake: () => void = () => undefined
  #reading = false
  #seq = 0

  /** @throws {AuditSourceError} why this node or process cannot listen, and what to do about it */
  constructor(options: MulticastOptions = {}, ports: Partial<MulticastPorts> = {}) {
    this.#network = hostNetwork(ports.network ?? networkNamespace())
    this.#addon = ports.addon ?? loadAuditAddon()
    const listening = { ...defaults, ...options, types: pairs(options.types ?? violationTypes) }
    this.#batchBytes = listening.batchBytes
    this.#memory = new BufferStore(sharedMemory, mostSpare, 2 * listening.batchBytes)
    try {
      this.#listener = this.#addon.open(listening, () => this.#wake())
    } catch (error) {
      throw explainOpenError(error)
    }
  }

  /**
   * The batches, for one reader. Ends after `stop` when everything taken until then has been read; leaving the loop
   * earlier closes the source.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void> {
    if (this.#reading) throw new Error('a multicast source has one reader')
    this.#reading = true
    try {
      for (let memory: SharedArrayBuffer | undefined; ; ) {
        memory ??= this.#memory.atLeast(this.#batchBytes)
        const length = this.#addon.read(this.#listener, new Uint8Array(memory))
        if (length > 0) {
          const bytes = new Uint8Array(memory, 0, length)
          memory = undefined
          yield { source: this.name, seq: this.#seq++, format: 'netlink', bytes }
        } else if (this.#addon.ended(this.#listener)) break
        else await this.#woken()
      }
      const { error } = this.#addon.stats(this.#listener)
      if (error !== 0) throw systemError(error, 'receive')
    } finally {
      this.close()
    }
  }

  giveBack({ bytes }: SourceBatch): void {
    if (bytes.buffer instanceof SharedArrayBuffer) this.#memory.give(bytes.buffer)
  }

  /** Takes nothing new from the kernel. The reader gets what is there already, and then the end. */
  stop(): void {
    this.#addon.stop(this.#listener)
  }

  /** Ends at once and puts the kernel's backlog limit back. What nobody has read counts as discarded. */
  close(): void {
    this.#addon.close(this.#listener)
    this.#wake()
  }

  /** Counts so far; also after the end. */
  stats(): MulticastStats {
    return { ...readable(this.#addon.stats(this.#listener)), network: this.#network }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

function hostNetwork(network: MulticastPorts['network']): 'initial' | 'unknown' {
  if (network !== 'other') return network
  throw new AuditSourceError(
    'WRONG_NETWORK',
    'listen to audit records outside the host network',
    "run in the host's network namespace (hostNetwork: true); in any other the kernel sends no audit records",
  )
}

function pairs(types: RecordTypes): Uint16Array {
  const ranges = types.map((type) => (typeof type === 'number' ? ([type, type] as const) : type))
  for (const bound of ranges.flat())
    if (!Number.isInteger(bound) || bound < 0 || bound > 65_535) throw new RangeError(`no audit record type: ${bound}`)
  return Uint16Array.from(ranges.flat())
}

function readable(stats: ListenerStats): Omit<MulticastStats, 'network'> {
  const { received, passed, filtered, stalls, auditd, auditEnabled, receiveBuffer: socketBuffer } = stats
  const { configChanges, exclusionsRemoved } = stats
  return {
    received,
    passed,
    filtered,
    dropped: {
      socketFull: stats.socketDrops,
      kernelLost: stats.kernelLost,
      forged: stats.foreign,
      malformed: stats.malformed,
      tooLong: stats.truncated,
      discarded: stats.discarded,
    },
    socketBuffer,
    backlogLimit: {
      before: stats.backlogLimitBefore,
      after: stats.backlogLimitAfter,
      refused: stats.backlogError === 0 ? null : getSystemErrorName(-stats.backlogError),
    },
    stalls,
    ...{ auditd, auditEnabled, configChanges, exclusionsRemoved },
  }
}
