import type { SnapshotFeed } from '../../audit/enrich/snapshot-feed.ts'
import { Accounting } from '../../audit/pipeline/accounting.ts'
import type { Pipeline, Queue } from '../../audit/pipeline/pipeline.ts'
import type { DecodePool } from '../../audit/pool/decode-pool.ts'
import type { SourceKind } from '../../audit/source/choose-source.ts'

/** Names of a pipeline's counts since its start, in addition to its accounting. */
export type CountName =
  | 'restarts'
  | 'lost'
  | 'lostTimes'
  | 'sourceDropped'
  | 'sourceFiltered'
  | 'sourceHeldBack'
  | 'workerFailures'
  | 'machineErrors'
  | 'undecodedBatches'
  | 'deferredCutShort'
  | 'logReopened'
  | 'decodedBatches'
  | 'decodedRecords'
  | 'decodedBytes'
  | 'decodeSeconds'
  | 'refusedLooks'

/** A count with the labels of its metric. Label values are words of this program or codes of system errors. */
export interface Count {
  name: CountName
  labels: Record<string, string>
  value: number
}

/** A running pipeline. */
export interface LivePipeline {
  /** The source of audit records; undefined if only BPF programs make records. */
  source: SourceKind | undefined
  counts(): Count[]
  queues(): Queue[]
  /** Number of containers whose lines are held back now. */
  holding(): number
}

/** All counts since the agent started, summed over all its pipelines. */
export class ViolationCounts {
  readonly accounting: Accounting
  /** Sums of the pipelines that have ended. */
  readonly #ended = new Map<string, Count>()
  #live: LivePipeline | undefined
  #started = 0

  constructor(feed: Pick<SnapshotFeed, 'policies'>) {
    this.accounting = new Accounting((profileName) => feed.policies.get(profileName))
  }

  /** The source in use; undefined: none. */
  get source(): SourceKind | undefined {
    return this.#live?.source
  }

  get queues(): Queue[] {
    return this.#live?.queues() ?? []
  }

  /** Number of containers whose lines are held back now. */
  get holding(): number {
    return this.#live?.holding() ?? 0
  }

  begin(live: LivePipeline): void {
    this.#live = live
    this.#started++
  }

  /** Adds the counts of the pipeline that ends. */
  end(): void {
    for (const count of this.#live?.counts() ?? []) {
      const key = JSON.stringify([count.name, count.labels])
      this.#ended.set(key, { ...count, value: count.value + (this.#ended.get(key)?.value ?? 0) })
    }
    this.#live = undefined
  }

  /** How often another pipeline was started after the first pipeline. */
  get restarts(): number {
    return Math.max(0, this.#started - 1)
  }

  /** Returns the counts of this name. Two counts may have equal labels; the caller adds them. */
  of(name: CountName): Count[] {
    return [...this.#ended.values(), ...(this.#live?.counts() ?? [])].filter((count) => count.name === name)
  }
}

/** All counts of a pipeline and its workers. */
export function countsOf({ stages, losses }: Pipeline, pool: DecodePool): Count[] {
  const { source, deferral, sink } = stages
  const one = (name: CountName, value: number): Count[] => [{ name, labels: {}, value }]
  const by = (name: CountName, label: string, values: Readonly<Record<string, number | null>>): Count[] =>
    Object.entries(values).map(([of, value]) => ({ name, labels: { [label]: of }, value: value ?? 0 }))
  const restarts = (part: string, value: number): Count => ({ name: 'restarts', labels: { part }, value })
  return [
    restarts('workers', pool.failures.crashed + pool.failures.stuck),
    ...source.map((stats) => restarts('source', 'restarts' in stats ? Number(stats.restarts) : 0)),
    ...losses.flatMap(({ where, why, events, uncounted }): Count[] => [
      { name: 'lost', labels: { where, why }, value: events },
      { name: 'lostTimes', labels: { where, why }, value: uncounted },
    ]),
    ...source.flatMap(({ dropped }) => by('sourceDropped', 'reason', dropped)),
    ...source.flatMap((stats) => one('sourceFiltered', 'filtered' in stats ? Number(stats.filtered) : 0)),
    ...source.flatMap((stats) => one('sourceHeldBack', 'heldBack' in stats ? Number(stats.heldBack) : 0)),
    ...by('workerFailures', 'kind', pool.failures),
    ...by('machineErrors', 'code', pool.refused),
    ...one('undecodedBatches', pool.givenUp),
    ...one('deferredCutShort', deferral.cutShort),
    ...one('logReopened', sink.reopened),
    ...one('decodedBatches', pool.done.batches),
    ...one('decodedRecords', pool.done.records),
    ...one('decodedBytes', pool.done.bytes),
    ...one('decodeSeconds', pool.done.seconds),
    ...one('refusedLooks', pool.done.refusedLooks),
  ]
}
