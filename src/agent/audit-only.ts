import type { EventEmitter } from 'node:events'
import { SnapshotFeed } from '../audit/enrich/snapshot-feed.ts'
import { Forks } from '../audit/lineage/forks.ts'
import { ContainersFile } from './containers-file.ts'
import { type Lineage, openLineage } from './lineage.ts'
import { bootTime, problemOf, startViolationPipeline, type ViolationPipelineOptions } from './violation-pipeline.ts'

export interface AuditOnlyOptions extends Omit<ViolationPipelineOptions, 'feed'> {
  /** File with the node's containers and policies. */
  containers: string
  nodeName: string
  metadata: Record<string, unknown>
  /** Milliseconds between two status lines; without it only SIGUSR1 gives one. */
  statusEvery?: number
  /** Emits SIGTERM, SIGINT and SIGUSR1: the process. */
  signals: EventEmitter
}

/** Reports the violations of one node, with container information from a file, until a signal. Returns the exit status. */
export async function runAuditOnly(options: AuditOnlyOptions): Promise<number> {
  const { logger, containers, nodeName, metadata, procRoot = '/proc' } = options
  const file = await ContainersFile.open(containers, logger)
  if (file === undefined) return 1
  const feed = new SnapshotFeed({ ...file.contents, version: 1, nodeName, metadata, bootTime: bootTime(procRoot) })
  const lineage = openLineage(logger, procRoot)
  try {
    return (await run(options, feed, file, lineage)) ? 0 : 1
  } catch (error) {
    logger.error({ error: problemOf(error) }, 'the agent cannot go on')
    return 1
  } finally {
    if (lineage instanceof Forks) lineage.close()
    file.close()
  }
}

/** @returns whether there was a source to read */
async function run(
  options: AuditOnlyOptions,
  feed: SnapshotFeed,
  file: ContainersFile,
  lineage: Lineage,
): Promise<boolean> {
  const { log, logger, signals, statusEvery } = options
  const pipeline = await startViolationPipeline({ ...options, feed, lineage })
  if ('why' in pipeline) return false
  const logStatus = (): void => logger.info(pipeline.status(), 'status')
  const off = listen(signals, { SIGTERM: pipeline.stop, SIGINT: pipeline.stop, SIGUSR1: logStatus })
  const timer = statusEvery === undefined ? undefined : setInterval(logStatus, statusEvery)
  file.follow(feed)
  logger.info({ log, source: pipeline.source, containers: feed.containers.size }, 'the agent is running')
  await pipeline.ended.finally(() => {
    clearInterval(timer)
    off()
  })
  logger.info(pipeline.status(), 'the agent has ended')
  return true
}

function listen(signals: EventEmitter, handlers: Record<string, () => void>): () => void {
  for (const [signal, handler] of Object.entries(handlers)) signals.on(signal, handler)
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) signals.off(signal, handler)
  }
}
