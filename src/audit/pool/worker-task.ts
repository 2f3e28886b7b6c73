import type { BatchResult, SourceBatch } from '../batch/batch.ts'
import type { SnapshotUpdate } from '../enrich/snapshot-feed.ts'
import type { SeenProcess } from './process-log.ts'

/** A worker's constant settings; its `workerData`. */
export interface WorkerSettings {
  /** Also decode events of profiles that are not ours. */
  everything: boolean
  /** Whether to write audit records that processes sent, as their violations. Default false. */
  logUntrusted?: boolean
  /** As in ScratchOptions. */
  kinds?: 'counts' | 'lines'
  /** A proc file system with the node's pid namespace; without it no process is known. */
  procRoot?: string
  /** Shared memory with the number of the node's fork tree, which may change; without it no forks are known. */
  forks?: Int32Array
}

/** One batch, with the updates that its worker lacks: a worker takes messages only as tasks. */
export interface WorkerTask {
  batch: Omit<SourceBatch, 'position'>
  update?: SnapshotUpdate
  seenProcesses?: readonly SeenProcess[]
  /**
   * Treat a process that /proc does not show because of a machine error as gone; otherwise the batch fails and can be
   * retried.
   */
  unreadableAsGone?: boolean
}

/** Failures are values, because only the message of a thrown error crosses threads. */
export type WorkerReply =
  /**
   * `seconds`: the worker's time. `refusedLooks`: refused lookups in /proc, by a container's or profile's limit.
   * `thread`: the kernel's id of its thread, if any.
   */
  | {
      ok: true
      result: BatchResult
      seenProcesses: SeenProcess[]
      seconds: number
      refusedLooks: number
      thread: number | undefined
    }
  /** `machine`: the code of a machine error, which is not the fault of batch or decoder. */
  | { ok: false; problem: string; machine?: string }
