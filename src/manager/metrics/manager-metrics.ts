import { Counter, collectDefaultMetrics, Registry } from 'prom-client'
import type { Outcome } from '../../../actors/compiler/compiler-pool.ts'
import type { CounterName } from '../../../actors/ports.ts'
import type { SystemStats } from '../../../actors/runtime/index.ts'
import type { RequestObserver } from '../../kube/caller.ts'
import type { EventLoss } from '../../kube/event-recorder.ts'
import type { Limiter } from '../../kube/limiter.ts'
import { actorMetrics } from '../../metrics/actor-metrics.ts'
import { apiMetrics } from '../../metrics/api-metrics.ts'
import { gathered, type Sample } from '../../metrics/gathered.ts'
import type { PolicyState } from './policy-states.ts'
import { ReportMetrics } from './report-metrics.ts'
import { WebhookMetrics } from './webhook-metrics.ts'

/** Functions that read values at each scrape. */
export interface MetricSources {
  actors?: () => SystemStats
  /** Milliseconds since the Unix epoch. */
  certificates?: () => { authority: number; serving: number } | undefined
  isLeader?: () => boolean
  /** Lengths of queues, by name. */
  queues?: () => Readonly<Record<string, number>>
  /** Number of policies that admission knows. */
  policies?: () => number
  /** Number of policies in each state. */
  policyStates?: () => Readonly<Record<PolicyState, number>>
  /** Behaviour models, by whether their profiles exist. */
  models?: () => Readonly<Record<'true' | 'false', number>>
  /** Objects kept only as an outline for lack of memory, by resource. */
  outlines?: () => Readonly<Record<string, number>>
  limiter?: Limiter
  /** Events that did not reach the server, by reason. */
  eventsLost?: () => EventLoss
  /** Restarts of this manager's parts after failures, by part. */
  failures?: () => Readonly<Record<string, number>>
}

/** All metrics of a manager, in its own registry, so that two managers in one process have separate metrics. */
export class ManagerMetrics {
  readonly registry = new Registry()
  readonly webhook = new WebhookMetrics(this.registry)
  readonly reports = new ReportMetrics(this.registry)
  readonly api: RequestObserver
  readonly #actions = new Counter({
    name: 'varmor_policy_actions_total',
    help: 'Actions of the policy actors',
    labelNames: ['action'] as const,
    registers: [this.registry],
  })

  readonly #compiled = new Counter({
    name: 'varmor_compilations_total',
    help: 'Compilations, by result',
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  })

  constructor(sources: MetricSources, { process = true }: { process?: boolean } = {}) {
    const { registry } = this
    if (process) collectDefaultMetrics({ register: registry })
    this.api = apiMetrics(registry, sources.limiter)
    if (sources.actors !== undefined) actorMetrics(registry, sources.actors)
    const gauge = (name: string, help: string, read: () => readonly Sample[], labelNames: readonly string[] = []) =>
      gathered(registry, { name, type: 'gauge', help, labelNames }, read)
    const { certificates, isLeader, queues, policies, policyStates, models, outlines, eventsLost, failures } = sources
    const counter = (name: string, help: string, label: string, read: () => object) =>
      gathered(registry, { name, type: 'counter', help, labelNames: [label] }, () =>
        Object.entries(read()).map(([of, value]) => ({ labels: { [label]: of }, value })),
      )
    if (eventsLost !== undefined)
      counter('varmor_events_lost_total', 'Kubernetes Events that did not reach the API server', 'reason', eventsLost)
    if (failures !== undefined)
      counter('varmor_part_failures_total', 'Restarts of a manager component after a failure', 'part', failures)
    if (certificates !== undefined)
      gauge(
        'varmor_certificate_expiry_seconds',
        'Unix time when a certificate expires',
        () => expiries(certificates()),
        ['certificate'],
      )
    if (isLeader !== undefined)
      gauge('varmor_leader', '1 while this manager is the leader', () => [{ labels: {}, value: isLeader() ? 1 : 0 }])
    if (policies !== undefined)
      gauge('varmor_indexed_policies', 'Policies in the index of the admission webhook', () => [
        { labels: {}, value: policies() },
      ])
    if (policyStates !== undefined)
      gauge(
        'varmor_policy_states',
        'Policies by their condition Ready; each manager counts all policies',
        () => Object.entries(policyStates()).map(([state, value]) => ({ labels: { state }, value })),
        ['state'],
      )
    if (models !== undefined)
      gauge(
        'varmor_models',
        'Behaviour models, by whether their profiles exist; each manager counts all models',
        () => Object.entries(models()).map(([ready, value]) => ({ labels: { ready }, value })),
        ['ready'],
      )
    if (outlines !== undefined)
      gauge(
        'varmor_objects_outlined',
        'Objects that the manager does not handle, because they exceed the memory or number that one tenant may use; it keeps only an outline of each, or nothing',
        () => Object.entries(outlines()).map(([resource, value]) => ({ labels: { resource }, value })),
        ['resource'],
      )
    if (queues !== undefined)
      gauge(
        'varmor_queue_depth',
        'Length of a queue',
        () => Object.entries(queues()).map(([queue, value]) => ({ labels: { queue }, value })),
        ['queue'],
      )
  }

  /** Counts an action of a policy's actors. */
  counted(action: CounterName): void {
    this.#actions.inc({ action })
  }

  compiled(outcome: Outcome): void {
    this.#compiled.inc({ outcome })
  }
}

function expiries(ends: { authority: number; serving: number } | undefined): Sample[] {
  return Object.entries(ends ?? {}).map(([certificate, end]) => ({ labels: { certificate }, value: end / 1000 }))
}
