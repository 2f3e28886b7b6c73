import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { keysOfContainer, type WaitKey } from '../enrich/wait-keys.ts'
import type { ProcessLog } from '../pool/process-log.ts'

/** What was learnt since the last look; `all` when that is not known any more. */
export type News = readonly WaitKey[] | 'all'

/**
 * Looks what was learnt of containers and processes since the look before. It asks instead of listening: feed and process
 * log outlive a pipeline, and keep what is new only up to a bound of their own.
 */
export class NewsReader {
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
