import { Counter, Histogram, type Registry } from 'prom-client'
import { apiVersion } from '../../api/schema/common.ts'
import type { ReviewOutcome } from '../admission/reviewer.ts'

/** A client that reaches the webhooks can send reviews of any kind, so all other kinds share one label value. */
const workloadKinds = new Set([
  '/v1, Kind=Pod',
  ...['Deployment', 'StatefulSet', 'DaemonSet'].map((kind) => `apps/v1, Kind=${kind}`),
])
const ownKinds = new Set(['VarmorPolicy', 'VarmorClusterPolicy', 'ArmorProfile'])
const other = 'other'

const ownGroup = apiVersion.slice(0, apiVersion.indexOf('/'))

/**
 * Upstream's admission metrics. The names are as Prometheus sees them: OpenTelemetry's exporter adds `_total` to
 * counters, which upstream's documents omit. As in upstream, reviews of policies are not counted.
 */
export class WebhookMetrics {
  #requests: Counter
  #mutated: Counter
  #untouched: Counter
  #latency: Histogram<'request_kind' | 'request_operation' | 'request_mutated'>
  #refused: Counter<'kind'>

  constructor(registry: Registry) {
    const registers = [registry]
    const counter = (name: string, help: string) => new Counter({ name, help, registers })
    this.#requests = counter('varmor_admission_requests_total', 'Admission reviews of pods and workloads')
    this.#mutated = counter('varmor_mutated_requests_total', 'Admission reviews that changed the object')
    this.#untouched = counter('varmor_non_mutated_requests_total', 'Admission reviews that did not change the object')
    this.#latency = new Histogram({
      name: 'varmor_webhook_latency',
      help: 'Seconds to answer an admission review',
      labelNames: ['request_kind', 'request_operation', 'request_mutated'],
      // Upstream's buckets start at 0.1 s, which is above all our values, so we add smaller buckets.
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 2, 4, 8, 10],
      registers,
    })
    this.#refused = new Counter({
      name: 'varmor_refused_policies_total',
      help: 'Policies that the admission webhook refused',
      labelNames: ['kind'],
      registers,
    })
  }

  reviewed({ request, allowed, mutated }: ReviewOutcome, seconds: number): void {
    const { kind, operation } = request
    if (kind.group === ownGroup) {
      if (!allowed) this.#refused.inc({ kind: ownKinds.has(kind.kind) ? kind.kind : other })
      return
    }
    this.#requests.inc()
    ;(mutated ? this.#mutated : this.#untouched).inc()
    const asked = kindText(kind)
    const known = workloadKinds.has(asked) ? asked : other
    const labels = { request_kind: known, request_operation: operation, request_mutated: String(mutated) }
    this.#latency.observe(labels, seconds)
  }
}

/** A GroupVersionKind as Go prints it: `apps/v1, Kind=Deployment`, and `/v1, Kind=Pod` for the core group. */
const kindText = ({ group, version, kind }: ReviewOutcome['request']['kind']): string =>
  `${group}/${version}, Kind=${kind}`
