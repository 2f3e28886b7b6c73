import type { BatchResult, SourceBatch } from '../batch/batch.ts'
import type { SnapshotUpdate } from '../enrich/snapshot-feed.ts'
import type { SeenProcess } from './process-log.ts'

/** The constant settings of a worker, given as `workerData`. */
export interface WorkerSettings {
  /** Whether to decode events of other profiles than ours, too. */
  everything: boolean
  /** Whether to write audit records that processes sent, as violations of their senders. Default false. */
  logUntrusted?: boolean
  /** See ScratchOptions. */
  kinds?: 'counts' | 'lines'
  /** A proc file system with the node's pid namespace. Without it, all processes are unknown. */
  procRoot?: string
  /** Shared memory with the number of the node's fork tree, which may change. Without it, forks are unknown. */
  forks?: Int32Array
}

/** One batch, and the updates that its worker lacks: a worker receives messages only as tasks. */
export interface WorkerTask {
  batch: Omit<SourceBatch, 'position'>
  update?: SnapshotUpdate
  seenProcesses?: readonly SeenProcess[]
  /**
   * Whether to treat a process as gone if /proc does not show it because of a machine error. Otherwise the batch fails
   * and can be retried.
   */
  unreadableAsGone?: boolean
}

/** A worker's reply. Failures are values, because only the message of a thrown error reaches another thread. */
export type WorkerReply =
  /**
   * `seconds`: how long the worker took. `refusedLooks`: lookups in /proc that a container's or profile's limit
   * refused. `thread`: the kernel's id of its thread, if any.
   */
  | {
      ok: true
      result: BatchResult
      seenProcesses: SeenProcess[]
      seconds: number
      refusedLooks: number
      thread: number | undefined
    }
  /** `machine`: the code of a machine error, which neither batch nor decoder caused. */
  | { ok: false; problem: string; machine?: string }
