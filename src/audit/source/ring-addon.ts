import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'
import { AuditSourceError } from './audit-source-error.ts'

declare const ring: unique symbol

/** A ring of records that a thread reads. It ends with `close`, or with the thread that opened it. */
export interface NativeRing {
  readonly [ring]: true
}

/** Every field is required: the native side has no defaults. */
export interface RingOptions {
  /** Where the maps are pinned. */
  folder: string
  /** Size of one batch in bytes, at least 65,536. */
  batchBytes: number
  /** How many batches may wait to be read, at least 2. Together they are all that is held. */
  batches: number
  /** A record waits about this long for its batch to fill. */
  flushMs: number
  /** After reading the ring empty the thread sleeps this long, so that records come in bunches. 0: it wakes for every record. */
  napMs: number
}

/** Counts since `openRing`, but for those of the programs, which are since they were loaded. */
export interface NativeRingStats {
  /** Put into a batch. */
  records: number
  malformed: number
  /** Not read by anybody when the ring was closed. */
  discarded: number
  /** Times that the thread had to wait for `read`. */
  stalls: number
  /** Records that found the ring full, and those for which there was no memory. */
  ringFull: number
  noScratch: number
  /** Records that were ever taken out of the ring, and what was last noted of them. */
  taken: number
  written: number
  ringFullNoted: number
}

/** The functions of the native module that read the ring. They do not block. */
export interface RingAddon {
  /** @throws an Error with `errno` and `step` */
  openRing(options: RingOptions, wake: () => void): NativeRing
  /**
   * Copies the oldest batch.
   * @param into has room for a batch
   * @returns its length in bytes; 0 if there is none now
   */
  read(ring: NativeRing, into: Uint8Array): number
  /** What is in the ring by then can still be read; after it comes the end. */
  stop(ring: NativeRing): void
  ended(ring: NativeRing): boolean
  close(ring: NativeRing): void
  ringStats(ring: NativeRing): NativeRingStats
  /** Keeps in the kernel, for who reads the ring next, how many of the records taken are in the log, and which losses were said. */
  note(ring: NativeRing, what: { written: number; ringFull: number }): void
}

/** @throws {AuditSourceError} ADDON_MISSING */
export function loadRingAddon(): RingAddon {
  const root = bindings.getRoot(fileURLToPath(import.meta.url))
  try {
    return bindings({ bindings: 'bpf', module_root: join(root, 'native', 'addon') }) as RingAddon
  } catch (cause) {
    const remedy = 'build it with `npm run build:addon`, which needs libbpf-dev, and install libbpf1'
    throw new AuditSourceError('ADDON_MISSING', 'load the native module for BPF', remedy, {}, { cause })
  }
}
