import type { BatchResult, SourceBatch } from '../batch/batch.ts'
import type { SnapshotUpdate } from '../enrich/snapshot-feed.ts'
import type { SeenProcess } from './process-log.ts'

/** What does not change while a worker lives; its `workerData`. */
export interface WorkerSettings {
  /** Also events of profiles that are not ours. */
  everything: boolean
  /** Whether what processes have sent as audit records is written, as their violations. Default false. */
  logUntrusted?: boolean
  /** As in ScratchOptions. */
  kinds?: 'counts' | 'lines'
  /** A proc file system that shows the node's pid namespace; without one no process is known. */
  procRoot?: string
  /** Where the number of the node's fork tree is, which may change; without it no forks are known. */
  forks?: Int32Array
}

/** One batch, with all that its worker does not know yet: a worker takes messages only as tasks, so updates come with one. */
export interface WorkerTask {
  batch: Omit<SourceBatch, 'position'>
  update?: SnapshotUpdate
  seenProcesses?: readonly SeenProcess[]
  /** A process that /proc does not show for an error of the machine counts as gone; else the batch fails, and can be tried again. */
  unreadableAsGone?: boolean
}

/** Failures are values: of an error that is thrown across threads only the message arrives. */
export type WorkerReply =
  /**
   * `seconds`: how long the worker was at it. `refusedLooks`: looks into /proc that a container or profile had no more of.
   * `thread`: the kernel's number of its thread, where there is one.
   */
  | {
      ok: true
      result: BatchResult
      seenProcesses: SeenProcess[]
      seconds: number
      refusedLooks: number
      thread: number | undefined
    }
  /** `machine`: the code of an error that is the machine's, and no fault of batch or decoder. */
  | { ok: false; problem: string; machine?: string }
