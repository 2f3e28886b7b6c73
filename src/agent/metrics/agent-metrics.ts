import { collectDefaultMetrics, Registry } from 'prom-client'
import type { RequestObserver } from '../../kube/caller.ts'
import { actorMetrics } from '../../metrics/actor-metrics.ts'
import { apiMetrics } from '../../metrics/api-metrics.ts'
import { gathered, gatheredHistogram } from '../../metrics/gathered.ts'
import type { AgentMetric, AgentSources } from './agent-metric.ts'
import { nodeMetrics } from './node-metrics.ts'
import { decodeMetrics, violationMetrics } from './violation-metrics.ts'

/** All metrics of an agent, in the order of METRICS.md. */
export const agentMetricTable: readonly AgentMetric[] = [...violationMetrics, ...decodeMetrics, ...nodeMetrics]

export const lagMetric = {
  name: 'varmor_violation_lag_seconds',
  help: 'Delay from kernel timestamp to log write, per line (upper bound: counted from the first record of the batch)',
}

export interface AgentMetrics {
  registry: Registry
  /** Observes calls to the API server, if the agent makes any. */
  api: RequestObserver | undefined
}

/**
 * All metrics of an agent, in a registry of its own. Calls to the API server are counted as they happen; all other
 * metrics are read at each scrape.
 */
export function agentMetrics(sources: AgentSources, { process = true }: { process?: boolean } = {}): AgentMetrics {
  const registry = new Registry()
  if (process) processMetrics(registry)
  for (const { name, type, help, labels = {}, ofCluster = false, read } of agentMetricTable) {
    if (ofCluster && sources.cluster === undefined) continue
    gathered(registry, { name, type, help, labelNames: Object.keys(labels) }, () => read(sources))
  }
  gatheredHistogram(registry, lagMetric, sources.counts.accounting.lag)
  if (sources.cluster === undefined) return { registry, api: undefined }
  actorMetrics(registry, () => sources.cluster?.()?.actors ?? { families: {} })
  return { registry, api: apiMetrics(registry) }
}

/**
 * Node.js measures delays of its event loop with a timer, a hundred times a second. The agent sets this to once a
 * second, so that an idle agent sleeps. The measured delays then include that second, so they are not served. The lag
 * at the scrape is served.
 */
function processMetrics(register: Registry): void {
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 1_000 })
  for (const figure of ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'])
    register.removeSingleMetric(`nodejs_eventloop_lag_${figure}_seconds`)
}
