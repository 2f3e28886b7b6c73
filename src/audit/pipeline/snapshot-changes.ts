import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { keysOfContainer, type WaitKey } from '../enrich/wait-keys.ts'
import type { ProcessLog } from '../pool/process-log.ts'

/** The keys of changed containers and processes; `all` if the log of changes no longer contains all of them. */
export type News = readonly WaitKey[] | 'all'

/**
 * Returns which containers and processes have changed since the last call. Polling needs no clean-up: the feed and the
 * process log outlive a pipeline and would keep its listeners.
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
