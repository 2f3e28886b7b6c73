import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'
import { AuditSourceError } from './audit-source-error.ts'

declare const ring: unique symbol

/** A ring of records that a thread reads. It ends with `close`, or with the thread that opened it. */
export interface NativeRing {
  readonly [ring]: true
}

declare const maps: unique symbol

/** Maps that are pinned in a folder. */
export interface NativeMaps {
  readonly [maps]: true
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
  /** The thread sleeps this long between two looks, from 1 on, while records are on their way. */
  napMs: number
  /** Where reading begins, in the ring that has this id: behind what the kernel has noted. In any other ring it is without effect. */
  from: { id: number; position: number }
}

/** Counts since `openRing`, but for those of the programs, which are since they were loaded. */
export interface NativeRingStats {
  /** Of the ring: no other one has it before the next boot. */
  id: number
  /** Put into a batch. */
  records: number
  malformed: number
  /** Times that the thread had to wait for `read`. */
  stalls: number
  /** Records that found the ring full, and those for which there was no memory. */
  ringFull: number
  noScratch: number
  /** Records that were held back. */
  heldBack: number
  /** What was last noted of these. */
  ringFullNoted: number
  noScratchNoted: number
}

/** The functions of the native module that read the ring, and what lies beside it. They do not block. */
export interface RingAddon {
  /** @throws an Error with `errno` and `step` */
  openRing(options: RingOptions, wake: () => void): NativeRing
  /**
   * Copies the oldest batch.
   * @param into has room for a batch
   * @returns its length in bytes; 0 if there is none now
   */
  read(ring: NativeRing, into: Uint8Array): number
  /** What is in the ring by then can still be read; after it comes the end. What is not read stays for who reads the ring next. */
  stop(ring: NativeRing): void
  ended(ring: NativeRing): boolean
  close(ring: NativeRing): void
  /** Asks the kernel for the counters of the programs. */
  ringStats(ring: NativeRing): NativeRingStats
  /** @returns the position behind the last batch that was read, in bytes of all that the ring ever had */
  taken(ring: NativeRing): number
  /**
   * All up to a position is where it belongs, and so much was said to be lost. Who reads the ring next begins behind it, also after this
   * process was killed.
   */
  done(ring: NativeRing, what: { position: number; ringFull: number; noScratch: number }): void
  /** The maps of a folder. They are looked for when they are used. */
  open(folder: string): NativeMaps
  /** Keys and values, one behind the other. */
  entries(maps: NativeMaps, map: string): Uint8Array
  write(maps: NativeMaps, writes: readonly { map: string; key: Uint8Array; value: Uint8Array }[]): Promise<void>
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
