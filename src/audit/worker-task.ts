import type { BatchResult, SourceBatch } from './batch.ts'
import type { Sighting } from './resident-log.ts'
import type { SnapshotNews } from './snapshot-feed.ts'

/** What does not change while a worker lives; its `workerData`. */
export interface WorkerSettings {
  /** Also events of profiles that are not ours. */
  everything: boolean
  /** A proc file system that shows the node's pid namespace; without one no process is known. */
  procRoot?: string
  /** Number of the node's fork tree, where there is one. */
  forks?: number
}

/** One batch, with all that its worker does not know yet: between tasks a worker is deaf, so news can come only with one. */
export interface WorkerTask {
  batch: Omit<SourceBatch, 'position'>
  news?: SnapshotNews
  sightings?: readonly Sighting[]
}

/** Failures are values: of an error that is thrown across threads only the message arrives. */
export type WorkerReply = { ok: true; result: BatchResult; sightings: Sighting[] } | { ok: false; problem: string }
