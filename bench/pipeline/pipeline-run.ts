import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Lineage } from '../../src/agent/violations/lineage.ts'
import { type LogLimits, openLogs } from '../../src/agent/violations/violation-logs.ts'
import { BufferStore, sharedMemory } from '../../src/audit/batch/buffer-store.ts'
import { lastBoundary } from '../../src/audit/batch/stream-batches.ts'
import { SnapshotFeed } from '../../src/audit/enrich/snapshot-feed.ts'
import { Pipeline, type PipelineSource } from '../../src/audit/pipeline/pipeline.ts'
import { DecodePool } from '../../src/audit/pool/decode-pool.ts'
import { LossLog } from '../../src/audit/sink/loss-log.ts'
import { ringBatchBytes, spareBatches } from '../../src/audit/source/bpf-ring.ts'
import { FollowedFile } from '../../src/audit/source/followed-file.ts'
import type { AuditSource } from '../../src/audit/source/source.ts'
import { mebibyte } from '../../src/base/bytes.ts'
import { systemClock } from '../../src/base/clock.ts'
import { noLogger } from '../../src/base/logger.ts'
import { stopwatch } from '../bench.ts'
import { fedSource } from './fed-source.ts'
import { world } from './world.ts'

export interface PipelineRun {
  /** Folder of the fake proc file system and the output. */
  folder: string
  /** A followed file, or a file of BPF records. */
  input?: string
  /**
   * `multicast`: the production source, fed by feed-records.c. `file`: an audit.log that another program writes at the
   * same time; created here, empty.
   */
  source: 'multicast' | 'file' | 'record'
  /** Number of records. */
  records: number
  /** Decoding threads; default: the agent's number. */
  threads?: number
  /** Follow forks by the kernel's events, as the agent does if it may. */
  forks?: boolean
  limits?: LogLimits
  /** Size of a batch in bytes; default: the agent's. */
  chunkBytes?: number
}

/** A pipeline over made-up input, built like the agent's and ready to run: workers started, logs open. */
export async function makePipeline(
  { folder, threads, forks = false, limits = {} }: Pick<PipelineRun, 'folder' | 'threads' | 'forks' | 'limits'>,
  source: AuditSource,
  // By default no source may lose a record, because the bench counts each record. The log is synced as configured.
  more: Partial<PipelineSource> = { pressure: 'waits', commit: async () => undefined },
) {
  const feed = new SnapshotFeed(world())
  const output = join(folder, 'out')
  rmSync(output, { recursive: true, force: true })
  mkdirSync(output, { recursive: true })
  const lineage = new Lineage({ logger: noLogger })
  if (forks) await lineage.start()
  const settings = {
    everything: false,
    kinds: 'counts',
    procRoot: join(folder, 'proc'),
    forks: lineage.number,
  } as const
  const failures: unknown[] = []
  const onFailure = (failure: unknown) => failures.push(failure)
  const pool = new DecodePool({
    feed,
    settings,
    clock: systemClock,
    ...(threads !== undefined && { threads }),
    onFailure,
  })
  const losses = new LossLog({ clock: systemClock })
  const log = join(output, 'violations.log')
  const logs = await openLogs({ log, limits, writer: feed, losses, logger: noLogger })
  await pool.ready()
  const pipeline = new Pipeline({
    sources: [{ source, pressure: 'waits', ...more }],
    ...{ pool, feed, sink: logs.sink, digest: logs.digest },
    clock: systemClock,
    stopTimeout: 3_600_000,
  })
  const close = async () => {
    await pool.close()
    await logs.close()
    lineage.close()
  }
  return { pipeline, failures, close }
}

/** A file of BPF records, read like the ring's batches: complete records, in reused memory. */
async function recordsOf(path: string): Promise<AuditSource> {
  const file = await open(path)
  const memory = new BufferStore(sharedMemory, spareBatches, 2 * ringBatchBytes)
  return {
    name: path,
    stats: () => ({ dropped: {} }),
    stop: () => undefined,
    close: () => file.close(),
    giveBack: ({ bytes }) => memory.give(bytes.buffer as SharedArrayBuffer),
    async *[Symbol.asyncIterator]() {
      for (let [at, seq] = [0, 0]; ; seq++) {
        const batch = new Uint8Array(memory.atLeast(ringBatchBytes), 0, ringBatchBytes)
        const { bytesRead } = await file.read(batch, 0, batch.length, at)
        const length = lastBoundary(batch.subarray(0, bytesRead), 'record')
        if (length === 0) break
        at += length
        yield { source: path, seq, format: 'record', bytes: batch.subarray(0, length) }
      }
    },
  }
}

async function openSource({ source, input = '', chunkBytes = mebibyte }: PipelineRun): Promise<AuditSource> {
  if (source === 'multicast') return fedSource()
  if (source === 'record') return recordsOf(input)
  writeFileSync(input, '')
  return FollowedFile.open(input, { from: 'beginning', chunkBytes })
}

/** Reads all records, in this process. */
export async function runPipeline(run: PipelineRun) {
  const source = await openSource(run)
  const { pipeline, failures, close } = await makePipeline(run, source)
  const { totals } = pipeline.accounting
  const [cost, busy] = [stopwatch(), performance.eventLoopUtilization()]
  const ended = pipeline.run()
  const resident: number[] = []
  const sampling = setInterval(() => resident.push(process.memoryUsage.rss()), 250)
  // Only a file of BPF records has an end. For other sources, stop when all records are read.
  const arriving = setInterval(() => totals.read >= run.records && pipeline.stop(), 5)
  await ended
  clearInterval(sampling)
  clearInterval(arriving)
  const used = cost()
  const main = performance.eventLoopUtilization(busy).utilization
  await close()
  const { balanced, undecodable, unresolved } = pipeline.accounting
  if (!balanced || failures.length > 0)
    throw new Error(`the pipeline failed, or its counts do not add up: ${JSON.stringify({ totals, failures })}`)
  const { maxRSS } = process.resourceUsage()
  return { ...used, main, totals, undecodable, unresolved, resident, maxRSS }
}
