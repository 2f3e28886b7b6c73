import type { EventEmitter } from 'node:events'
import { Forks } from '../audit/lineage/forks.ts'
import { SnapshotFeed } from '../audit/snapshot-feed.ts'
import { ContainersFile } from './containers-file.ts'
import { type Lineage, openLineage } from './lineage.ts'
import { bootTime, problemOf, type RiverOptions, startRiver } from './river.ts'

export interface AuditOnlyOptions extends Omit<RiverOptions, 'feed'> {
  /** File with the node's containers and policies. */
  containers: string
  nodeName: string
  metadata: Record<string, unknown>
  /** Milliseconds between two status lines; without it only SIGUSR1 gives one. */
  statusEvery?: number
  /** Emits SIGTERM, SIGINT and SIGUSR1: the process. */
  signals: EventEmitter
}

/** Runs the upward river of one node, with container information from a file, until a signal. Returns the exit status. */
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
  const river = await startRiver({ ...options, feed, lineage })
  if ('why' in river) return false
  const tell = (): void => logger.info(river.status(), 'status')
  const off = listen(signals, { SIGTERM: river.stop, SIGINT: river.stop, SIGUSR1: tell })
  const timer = statusEvery === undefined ? undefined : setInterval(tell, statusEvery)
  file.follow(feed)
  logger.info({ log, source: river.source, containers: feed.containers.size }, 'the agent is running')
  await river.ended.finally(() => {
    clearInterval(timer)
    off()
  })
  logger.info(river.status(), 'the agent has ended')
  return true
}

function listen(signals: EventEmitter, handlers: Record<string, () => void>): () => void {
  for (const [signal, handler] of Object.entries(handlers)) signals.on(signal, handler)
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) signals.off(signal, handler)
  }
}
