import type { EventEmitter } from 'node:events'
import { SnapshotFeed } from '../audit/enrich/snapshot-feed.ts'
import type { MetricsListen, MetricsServer } from '../metrics/metrics-server.ts'
import { bootOf } from './lifecycle/boot.ts'
import type { AgentSources } from './metrics/agent-metric.ts'
import { ContainersFile } from './violations/containers-file.ts'
import { Lineage } from './violations/lineage.ts'
import { ViolationCounts } from './violations/violation-counts.ts'
import { silenceWatch, startViolationPipeline, type ViolationPipelineOptions } from './violations/violation-pipeline.ts'

export interface AuditOnlyOptions extends Omit<ViolationPipelineOptions, 'feed' | 'counts' | 'lineage' | 'silence'> {
  /** File with the node's containers and policies. */
  containers: string
  nodeName: string
  metadata: Record<string, unknown>
  /** Where metrics are served; default: not served. */
  metrics?: MetricsListen
  /** Milliseconds between two status lines. Default: only SIGUSR1 makes the agent log a status line. */
  statusEvery?: number
  /** The process, which emits SIGTERM, SIGINT and SIGUSR1. */
  signals: EventEmitter
}

/**
 * Reports the violations of one node, with container information from a file, until a signal. Returns the exit status.
 */
export async function runAuditOnly(options: AuditOnlyOptions): Promise<number> {
  const { logger, containers, nodeName, metadata, procRoot = '/proc' } = options
  const file = await ContainersFile.open(containers, logger)
  if (file === undefined) return 1
  const feed = new SnapshotFeed({ ...file.contents, version: 1, nodeName, metadata, ...bootOf(procRoot) })
  const lineage = new Lineage({ logger, procRoot })
  const counts = new ViolationCounts(feed)
  const silence = silenceWatch(logger)
  let metrics: MetricsServer | undefined
  try {
    await lineage.start()
    void silence.start()
    const restarts = () => ({ forks: lineage.restarts })
    metrics = await serveMetrics(options, { counts, feed, lineage, silence, restarts })
    return (await run({ ...options, counts, lineage, silence, feed }, file)) ? 0 : 1
  } catch (error) {
    logger.error({ err: error }, 'the agent failed and stops')
    return 1
  } finally {
    silence.close()
    lineage.close()
    file.close()
    await metrics?.drain(1_000)
  }
}

/** Loads prom-client only when metrics are served. */
async function serveMetrics(
  { metrics, logger: log }: AuditOnlyOptions,
  sources: AgentSources,
): Promise<MetricsServer | undefined> {
  if (metrics === undefined) return undefined
  const { agentMetrics } = await import('./metrics/agent-metrics.ts')
  const { MetricsServer } = await import('../metrics/metrics-server.ts')
  const server = await MetricsServer.start({ ...metrics, registry: agentMetrics(sources).registry, log })
  log.info({ port: server.port }, 'metrics are served')
  return server
}

/** @returns whether there was a source to read */
async function run(options: AuditOnlyOptions & ViolationPipelineOptions, file: ContainersFile): Promise<boolean> {
  const { log, logger, signals, statusEvery, feed } = options
  const pipeline = await startViolationPipeline(options)
  if ('why' in pipeline) return false
  const logStatus = (): void => logger.info({ status: pipeline.status() }, 'status')
  const off = listen(signals, { SIGTERM: pipeline.stop, SIGINT: pipeline.stop, SIGUSR1: logStatus })
  const timer = statusEvery === undefined ? undefined : setInterval(logStatus, statusEvery)
  file.follow(feed)
  logger.info({ file: log, source: pipeline.source, containers: feed.containers.size }, 'the agent is running')
  await pipeline.ended.finally(() => {
    clearInterval(timer)
    off()
  })
  logger.info({ status: pipeline.status() }, 'the agent has stopped')
  return true
}

function listen(signals: EventEmitter, handlers: Record<string, () => void>): () => void {
  for (const [signal, handler] of Object.entries(handlers)) signals.on(signal, handler)
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) signals.off(signal, handler)
  }
}
