import type { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { Pipeline } from '../audit/pipeline.ts'
import { DecodePool } from '../audit/pool.ts'
import { Sink } from '../audit/sink.ts'
import { SnapshotFeed } from '../audit/snapshot-feed.ts'
import { Checkpoint } from '../audit/source/checkpoint.ts'
import type { SourceRequest } from '../audit/source/choose-source.ts'
import { openAuditSource } from '../audit/source/open-source.ts'
import { type AuditSource, type Notify, systemClock } from '../audit/source/source.ts'
import { ContainersFile } from './containers-file.ts'
import type { Logger } from './logger.ts'

export interface AuditOnlyOptions {
  /** File with the node's containers and policies. */
  containers: string
  /** The log of violations. */
  log: string
  nodeName: string
  metadata: Record<string, unknown>
  request: SourceRequest
  checkpoint?: string
  /** On the first start, read what the audit log already holds. */
  fromStart: boolean
  workers?: number
  /** Milliseconds between two status lines; without it only SIGUSR1 gives one. */
  statusEvery?: number
  logger: Logger
  /** Emits SIGTERM, SIGINT and SIGUSR1: the process. */
  signals: EventEmitter
  procRoot?: string
}

/** Runs the upward river of one node, with container information from a file, until a signal. Returns the exit status. */
export async function runAuditOnly(options: AuditOnlyOptions): Promise<number> {
  const { logger, containers, procRoot = '/proc' } = options
  const file = await ContainersFile.open(containers, logger)
  if (file === undefined) return 1
  const feed = new SnapshotFeed({
    ...file.contents,
    version: 1,
    nodeName: options.nodeName,
    metadata: options.metadata,
    bootTime: bootTime(procRoot),
  })
  const source = await openSource(options)
  if (source === undefined) return 1
  try {
    return await run(options, feed, file, source)
  } catch (error) {
    logger.error({ error: problemOf(error) }, 'the agent cannot go on')
    return 1
  } finally {
    file.close()
    await source.audit.close()
  }
}

/** Larger batches cost less (npm run bench:pipeline), and a crash doubles at most the last one. */
const chunkBytes = 1024 * 1024

interface Opened {
  audit: AuditSource
  waits: boolean
  checkpoint: Checkpoint | undefined
}

async function openSource({
  request,
  checkpoint: path,
  fromStart,
  logger,
}: AuditOnlyOptions): Promise<Opened | undefined> {
  const notify: Notify = ({ level, message, code, remedy, context }) =>
    logger[level]({ code, remedy, ...context }, message)
  const checkpoint = path === undefined ? undefined : new Checkpoint(path, { notify })
  const follow = { notify, chunkBytes }
  const options = checkpoint === undefined ? { fromStart, follow } : { fromStart, follow, checkpoint }
  const { source: audit, chosen, notices } = await openAuditSource(request, options)
  for (const notice of notices) notify(notice)
  return audit === undefined ? undefined : { audit, waits: chosen?.kind === 'file', checkpoint }
}

async function run(
  options: AuditOnlyOptions,
  feed: SnapshotFeed,
  file: ContainersFile,
  source: Opened,
): Promise<number> {
  const { logger, signals, statusEvery } = options
  const pool = newPool(options, feed)
  const sink = newSink(options, feed)
  try {
    await pool.ready()
    await sink
      .ready()
      .catch((error: unknown) => logger.warn({ error: problemOf(error) }, 'the log cannot be written yet'))
    const pipeline = newPipeline(options, feed, pool, sink, source)
    const off = listen(signals, {
      SIGTERM: () => pipeline.stop(),
      SIGINT: () => pipeline.stop(),
      SIGUSR1: () => logger.info(statusOf(pipeline), 'status'),
    })
    const timer =
      statusEvery === undefined ? undefined : setInterval(() => logger.info(statusOf(pipeline), 'status'), statusEvery)
    file.follow(feed)
    logger.info(
      { log: options.log, source: source.audit.name, containers: feed.containers.size },
      'the agent is running',
    )
    await pipeline.run().finally(() => {
      clearInterval(timer)
      off()
    })
    logger.info(statusOf(pipeline), 'the agent has ended')
    return 0
  } finally {
    await pool.close()
  }
}

function newPool({ logger, workers, procRoot = '/proc' }: AuditOnlyOptions, feed: SnapshotFeed): DecodePool {
  return new DecodePool({
    feed,
    settings: { everything: false, procRoot },
    clock: systemClock,
    ...(workers !== undefined && { threads: workers }),
    onFailure: (failure) =>
      logger.warn(
        failure,
        failure.givenUp ? 'records are written undecoded' : 'a worker failed; its batch is tried again',
      ),
  })
}

function newSink({ logger, log }: AuditOnlyOptions, writer: SnapshotFeed): Sink {
  return new Sink({
    path: log,
    clock: systemClock,
    random: Math.random,
    writer,
    onTrouble: (trouble) =>
      trouble === undefined
        ? logger.info({ log }, 'the log is written again')
        : logger.warn({ log, ...trouble }, 'the log cannot be written; it is tried again'),
  })
}

function newPipeline(
  { logger }: AuditOnlyOptions,
  feed: SnapshotFeed,
  pool: DecodePool,
  sink: Sink,
  { audit, waits, checkpoint }: Opened,
): Pipeline {
  const commit = async (position: unknown): Promise<void> => {
    checkpoint?.commit(position)
    await checkpoint?.flush()
  }
  return new Pipeline({
    sources: [{ source: audit, pressure: waits ? 'waits' : 'loses', ...(checkpoint !== undefined && { commit }) }],
    ...{ pool, sink, feed },
    clock: systemClock,
    onError: (error) => logger.warn({ error: problemOf(error) }, 'the position cannot be stored; it is tried again'),
  })
}

const statusOf = ({ accounting, stages }: Pipeline): object => ({
  ...accounting.totals,
  undecodable: accounting.undecodable,
  unresolved: accounting.unresolved,
  stages,
})

function listen(signals: EventEmitter, handlers: Record<string, () => void>): () => void {
  for (const [signal, handler] of Object.entries(handlers)) signals.on(signal, handler)
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) signals.off(signal, handler)
  }
}

/** Unix seconds. */
function bootTime(procRoot: string): number {
  return Number(/^btime (\d+)$/m.exec(readFileSync(`${procRoot}/stat`, 'latin1'))?.[1] ?? 0)
}

const problemOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
