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

/** The maps pinned in a folder. */
export interface NativeMaps {
  readonly [maps]: true
}

/** Every field is required: the native side has no defaults. */
export interface RingOptions {
  /** Folder with the pinned maps. */
  folder: string
  /** Bytes of one batch, at least 65,536. */
  batchBytes: number
  /** Maximum waiting batches, at least 2; no further data is held. */
  batches: number
  /** Milliseconds that a record waits for its batch to fill, about. */
  flushMs: number
  /** Milliseconds that the thread sleeps between two checks while records come, at least 1. */
  napMs: number
  /**
   * Where to start reading, if the ring has this id: after the position that the kernel noted. Other rings ignore it.
   */
  from: { id: number; position: number }
}

/** Counts since `openRing`, except the programs' counts, which start at their load. */
export interface NativeRingStats {
  /** Id of the ring, unique until the next boot. */
  id: number
  /** Records put into a batch. */
  records: number
  malformed: number
  /** Times that the thread had to wait for `read`. */
  stalls: number
  /** Records that found the ring full, and records without memory. */
  ringFull: number
  noScratch: number
  /** Records that were held back. */
  heldBack: number
  /** The last noted values of these. */
  ringFullNoted: number
  noScratchNoted: number
}

/** The functions of the native module that read the ring and its neighbouring maps. They do not block. */
export interface RingAddon {
  /** @throws an Error with `errno` and `step` */
  openRing(options: RingOptions, wake: () => void): NativeRing
  /**
   * Copies the oldest batch.
   * @param into has room for a batch
   * @returns its length in bytes; 0 if there is none now
   */
  read(ring: NativeRing, into: Uint8Array): number
  /** Data already in the ring can still be read; then comes the end. Unread data stays for the ring's next reader. */
  stop(ring: NativeRing): void
  ended(ring: NativeRing): boolean
  close(ring: NativeRing): void
  /** Reads the programs' counters from the kernel. */
  ringStats(ring: NativeRing): NativeRingStats
  /** @returns the position after the last batch read, in bytes of all data that the ring ever had */
  taken(ring: NativeRing): number
  /**
   * Everything up to a position is stored, and this many losses are reported. The ring's next reader starts after it,
   * even after a kill of this process.
   */
  done(ring: NativeRing, what: { position: number; ringFull: number; noScratch: number }): void
  /** The maps of a folder, opened on use. */
  open(folder: string): NativeMaps
  /** Keys and values, alternating. */
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
