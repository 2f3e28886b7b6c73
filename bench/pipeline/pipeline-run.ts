import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { streamBatches } from '../../src/audit/batch/stream-batches.ts'
import { SnapshotFeed } from '../../src/audit/enrich/snapshot-feed.ts'
import { Pipeline } from '../../src/audit/pipeline/pipeline.ts'
import { DecodePool } from '../../src/audit/pool/decode-pool.ts'
import { Sink, type SinkOptions } from '../../src/audit/sink/sink.ts'
import { FollowedFile } from '../../src/audit/source/followed-file.ts'
import type { AuditSource } from '../../src/audit/source/source.ts'
import { wallClock } from '../../src/base/clock.ts'
import { stopwatch } from '../bench.ts'
import { world } from './world.ts'

export interface PipelineRun {
  /** Where the fake proc file system and the output are. */
  folder: string
  input: string
  format: 'auditlog' | 'record'
  threads: number
  sink?: Partial<SinkOptions>
  /** Bytes of a batch; by default as many as the agent asks for. */
  chunkBytes?: number
}

/** A pipeline over made-up input, ready to run: workers started, file opened. */
export async function makePipeline(
  { folder, threads, sink: given }: Pick<PipelineRun, 'folder' | 'threads' | 'sink'>,
  source: AuditSource,
) {
  const feed = new SnapshotFeed(world())
  const output = join(folder, 'out')
  rmSync(output, { recursive: true, force: true })
  mkdirSync(output, { recursive: true })
  const settings = { everything: false, procRoot: join(folder, 'proc') }
  const failures: unknown[] = []
  const pool = new DecodePool({
    feed,
    settings,
    clock: wallClock,
    threads,
    onFailure: (failure) => failures.push(failure),
  })
  const sink = new Sink({
    path: join(output, 'violations.log'),
    clock: wallClock,
    random: Math.random,
    writer: feed,
    ...given,
  })
  await Promise.all([pool.ready(), sink.ready()])
  const pressure = 'waits'
  const pipeline = new Pipeline({
    sources: [{ source, pressure }],
    pool,
    sink,
    feed,
    clock: wallClock,
    stopPatience: 3_600_000,
  })
  return { pipeline, pool, sink, failures }
}

/** A file of BPF records, read as a ring buffer's batches come. */
function recordsOf(path: string): AuditSource {
  return {
    name: path,
    stats: () => ({ dropped: {} }),
    stop: () => undefined,
    close: () => undefined,
    [Symbol.asyncIterator]: () =>
      streamBatches(createReadStream(path, { highWaterMark: 256 * 1024 }), { source: path, format: 'record' }),
  }
}

/** Reads the input to its end, in this process. */
export async function runPipeline(run: PipelineRun) {
  const followed = run.format === 'auditlog'
  const source = followed
    ? await FollowedFile.open(run.input, {
        from: 'beginning',
        chunkBytes: run.chunkBytes ?? 1024 * 1024,
      })
    : recordsOf(run.input)
  const { pipeline, pool, failures } = await makePipeline(run, source)
  const [cost, busy] = [stopwatch(), performance.eventLoopUtilization()]
  const ended = pipeline.run()
  if (followed) pipeline.stop()
  const resident: number[] = []
  const sampling = setInterval(() => resident.push(process.memoryUsage.rss()), 250)
  await ended
  clearInterval(sampling)
  const used = cost()
  const main = performance.eventLoopUtilization(busy).utilization
  await pool.close()
  const { totals, balanced, undecodable, unresolved } = pipeline.accounting
  if (!balanced || failures.length > 0) throw new Error(`wrong: ${JSON.stringify({ totals, failures })}`)
  const { maxRSS } = process.resourceUsage()
  return {
    ...used,
    main,
    totals,
    undecodable,
    unresolved,
    resident,
    maxRSS,
  }
}
