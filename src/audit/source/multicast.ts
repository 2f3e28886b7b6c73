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

/** A message type, or the first and last type of a range. */
export type RecordTypes = readonly (number | readonly [first: number, last: number])[]

/** USER_AVC (AppArmor's D-Bus records), SECCOMP, and the range of security modules, in which 1400 is AVC. */
export const violationTypes: RecordTypes = [1107, 1326, [1400, 1499]]

export interface MulticastOptions extends Partial<Omit<ListenerOptions, 'types'>> {
  /** Record types to pass on; records of other types count as filtered. Default: `violationTypes`. */
  types?: RecordTypes
}

/** The source's dependencies; tests replace them. */
export interface MulticastPorts {
  addon: AuditAddon
  network: ReturnType<typeof networkNamespace>
}

export interface MulticastStats extends SourceStats {
  /**
   * All received messages. Each message was passed on, filtered, or dropped because it was forged, malformed, too long
   * or discarded.
   */
  received: number
  passed: number
  filtered: number
  dropped: {
    /**
     * Records for which the socket's buffer was full, because the reader was too slow. null: the kernel does not count
     * them.
     */
    socketFull: number | null
    /**
     * Records of any type that the kernel lost before they reached a socket, because its backlog was full or its rate
     * limit was reached. This is an upper bound: with audit=1 on the command line and without an audit daemon, it
     * includes records that this source got, but that did not fit into the queue for a daemon. null: the process may
     * not ask the kernel.
     */
    kernelLost: number | null
    /** Messages that did not come from the kernel, but from a process. */
    forged: number
    malformed: number
    tooLong: number
    /** Messages that were unread when the source was closed. */
    discarded: number
  }
  /** Bytes of the socket's buffer, as the kernel counts them. */
  socketBuffer: number
  /**
   * The kernel's limit of waiting records; null if the process may not ask for it. `refused`: the name of the errno
   * with which the kernel refused.
   */
  backlogLimit: { before: number | null; after: number | null; refused: string | null }
  /** Number of times that the thread stopped reading because its batches were not read. */
  stalls: number
  /** Pid of the audit daemon; 0 if it does not run. */
  auditd: number | null
  /**
   * The kernel's audit switch (0 off, 1 on, 2 on and locked); null if the process may not ask for it. The kernel sends
   * records of our types with any value.
   */
  auditEnabled: number | null
  /**
   * Number of changes of the audit system's settings or rules. `exclusionsRemoved` counts the changes that removed a
   * rule from the list `exclude`.
   */
  configChanges: number
  exclusionsRemoved: number
  network: 'initial' | 'unknown'
}

/**
 * The socket's buffer, which the kernel makes twice as large as requested, has room for a burst of 80,000 records of
 * about 750 bytes. In the kernel's queue a record takes 2.3 KB. A third of the queue is for times when the queue's
 * thread does not get CPU time. Buffer and queue take memory only while records wait.
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

/** Maximum buffers kept for later batches. More buffers are rarely in use at a time. */
const maxSpare = 8

/**
 * Audit records that the kernel sends to every listener, with or without an audit daemon. While no batch is requested,
 * at most `batches` batches wait, and then the socket's buffer fills. `dropped.socketFull` counts records for which the
 * buffer is full.
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
  /** Memory of batches. Workers read batches in place, and `giveBack` returns the memory later. */
  readonly #memory: BufferStore<SharedArrayBuffer>
  #wake: () => void = () => undefined
  #reading = false
  #seq = 0

  /** @throws {AuditSourceError} if this node or process cannot listen; it says why, and what to do */
  constructor(options: MulticastOptions = {}, ports: Partial<MulticastPorts> = {}) {
    this.#network = hostNetwork(ports.network ?? networkNamespace())
    this.#addon = ports.addon ?? loadAuditAddon()
    const listening = { ...defaults, ...options, types: pairs(options.types ?? violationTypes) }
    this.#batchBytes = listening.batchBytes
    this.#memory = new BufferStore(sharedMemory, maxSpare, 2 * listening.batchBytes)
    try {
      this.#listener = this.#addon.open(listening, () => this.#wake())
    } catch (error) {
      throw explainOpenError(error)
    }
  }

  /**
   * The batches. Only one reader may iterate. After `stop`, the iteration ends when all data that was already taken has
   * been read. Leaving the loop earlier closes the source.
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

  /** Stops taking records from the kernel. The reader still gets the records that were already taken. */
  stop(): void {
    this.#addon.stop(this.#listener)
  }

  /** Ends at once, and restores the kernel's backlog limit. Unread records count as discarded. */
  close(): void {
    this.#addon.close(this.#listener)
    this.#wake()
  }

  /** The counts so far, also after the end. */
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
    "run in the host's network namespace (hostNetwork: true); the kernel sends audit records only to it",
  )
}

function pairs(types: RecordTypes): Uint16Array {
  const ranges = types.map((type) => (typeof type === 'number' ? ([type, type] as const) : type))
  for (const bound of ranges.flat())
    if (!Number.isInteger(bound) || bound < 0 || bound > 65_535)
      throw new RangeError(`not an audit record type: ${bound}`)
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
