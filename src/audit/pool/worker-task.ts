import type { BatchResult, SourceBatch } from '../batch/batch.ts'
import type { SnapshotUpdate } from '../enrich/snapshot-feed.ts'
import type { SeenProcess } from './process-log.ts'

/** The constant settings of a worker, given as `workerData`. */
export interface WorkerSettings {
  /** Whether to also decode events of profiles that are not ours. */
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

/**
 * One batch, and the updates that its worker lacks. Updates are part of a task, because a worker receives only tasks.
 */
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
   * `seconds`: how long the worker took. `refusedLooks`: number of look-ups in /proc that the limit of a container or
   * profile refused. `thread`: the kernel's id of the worker's thread, if it runs in a thread.
   */
  | {
      ok: true
      result: BatchResult
      seenProcesses: SeenProcess[]
      seconds: number
      refusedLooks: number
      thread: number | undefined
    }
  /** `machine`: the code of a machine error, if this is the cause; see machine-error.ts. */
  | { ok: false; problem: string; machine?: string }
