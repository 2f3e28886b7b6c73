import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'
import { AuditSourceError } from './audit-source-error.ts'

declare const ring: unique symbol

/**
 * A ring that a native thread reads. The thread ends with `close`, or when the thread that opened the ring ends.
 */
export interface NativeRing {
  readonly [ring]: true
}

declare const maps: unique symbol

/** The maps pinned in a folder. */
export interface NativeMaps {
  readonly [maps]: true
}

/** All fields are required, because the addon does not have defaults. */
export interface RingOptions {
  /** Folder with the pinned maps. */
  folder: string
  /** Bytes of one batch, at least 65,536. */
  batchBytes: number
  /** Maximum waiting batches, at least 2. Further data stays in the ring. */
  batches: number
  /** Approximate milliseconds that a record waits for its batch to fill. */
  flushMs: number
  /** Milliseconds that the thread sleeps between two checks while records arrive, at least 1. */
  napMs: number
  /**
   * Reading starts after this position, if the ring has this id. Otherwise, it starts after the position that `done`
   * stored in the kernel.
   */
  from: { id: number; position: number }
}

/** Counts since `openRing`. The counts of the BPF programs start when the programs are loaded. */
export interface NativeRingStats {
  /** Id of the ring, unique until the next boot. */
  id: number
  /** Number of records that were put into a batch. */
  records: number
  malformed: number
  /** Number of times that the thread had to wait for `read`. */
  stalls: number
  /** `ringFull`: records for which the ring was full. `noScratch`: records for which there was not enough memory. */
  ringFull: number
  noScratch: number
  /** Number of records that the programs held back. */
  heldBack: number
  /** The values of `ringFull` and `noScratch` that `done` stored last. */
  ringFullNoted: number
  noScratchNoted: number
}

/** The functions of the native module that read the ring, and the maps in the same folder. They do not block. */
export interface RingAddon {
  /** @throws an Error with `errno` and `step` */
  openRing(options: RingOptions, wake: () => void): NativeRing
  /**
   * Copies the oldest batch.
   * @param into memory with room for a batch
   * @returns its length in bytes; 0 if there is no batch now
   */
  read(ring: NativeRing, into: Uint8Array): number
  /**
   * Stops reading the ring. Batches that were already filled can still be read. All other data stays for the next
   * reader of the ring.
   */
  stop(ring: NativeRing): void
  ended(ring: NativeRing): boolean
  close(ring: NativeRing): void
  /** Reads the programs' counters from the kernel. */
  ringStats(ring: NativeRing): NativeRingStats
  /** @returns the position after the last batch read, in bytes of all data that the ring ever had */
  taken(ring: NativeRing): number
  /**
   * Stores in the kernel that all records up to a position are in the log, and how many losses are reported. The next
   * reader of the ring starts after the position, even if this process is killed.
   */
  done(ring: NativeRing, what: { position: number; ringFull: number; noScratch: number }): void
  /** Opens the maps of a folder; each map is opened on its first use. */
  open(folder: string): NativeMaps
  /** Reads all entries of a map: key, value, key, value, … */
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
