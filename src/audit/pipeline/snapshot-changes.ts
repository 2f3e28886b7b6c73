import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { keysOfContainer, type WaitKey } from '../enrich/wait-keys.ts'
import type { ProcessLog } from '../pool/process-log.ts'

/** The keys with news since the last check; `all` if this is no longer known. */
export type News = readonly WaitKey[] | 'all'

/**
 * Checks what is new about containers and processes. It polls instead of listening, because the feed and the process
 * log live longer than a pipeline, and limit what they keep.
 */
export class SnapshotChanges {
  readonly #feed: SnapshotFeed
  readonly #seenProcesses: ProcessLog
  #snapshot: number
  #seen: number

  constructor(feed: SnapshotFeed, seenProcesses: ProcessLog) {
    this.#feed = feed
    this.#seenProcesses = seenProcesses
    this.#snapshot = feed.version
    this.#seen = seenProcesses.version
  }

  take(): News {
    const [feed, log] = [this.#feed, this.#seenProcesses]
    const update = feed.since(this.#snapshot)
    const processes = log.since(this.#seen)
    const forgotten = log.version - this.#seen > processes.length || (update !== undefined && 'whole' in update)
    this.#snapshot = feed.version
    this.#seen = log.version
    if (forgotten) return 'all'
    const containers = update?.deltas.flatMap((delta) => delta.containers ?? []) ?? []
    return [...containers.flatMap(keysOfContainer), ...processes.map(([pid]) => pid)]
  }
}
