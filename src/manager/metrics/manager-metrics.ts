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

/** Sources of values that are read at a scrape. Each may be set later than the registry. */
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

/** All metrics of a manager, in its own registry: two managers in one process do not mix. */
export class ManagerMetrics {
  readonly registry = new Registry()
  readonly webhook = new WebhookMetrics(this.registry)
  readonly reports = new ReportMetrics(this.registry)
  readonly api: RequestObserver
  readonly #actions = new Counter({
    name: 'varmor_policy_actions_total',
    help: 'What the actors of policies did',
    labelNames: ['action'] as const,
    registers: [this.registry],
  })

  readonly #compiled = new Counter({
    name: 'varmor_compilations_total',
    help: 'What came of jobs for compilers',
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
      counter('varmor_events_lost_total', 'Events that did not reach the server', 'reason', eventsLost)
    if (failures !== undefined)
      counter('varmor_part_failures_total', 'Failures after which a part was begun anew', 'part', failures)
    if (certificates !== undefined)
      gauge('varmor_certificate_expiry_seconds', 'When a certificate ends, Unix time', () => expiries(certificates()), [
        'certificate',
      ])
    if (isLeader !== undefined)
      gauge('varmor_leader', '1 while this manager leads', () => [{ labels: {}, value: isLeader() ? 1 : 0 }])
    if (policies !== undefined)
      gauge('varmor_indexed_policies', 'Policies that admission knows', () => [{ labels: {}, value: policies() }])
    if (policyStates !== undefined)
      gauge(
        'varmor_policy_states',
        'Policies by their condition Ready; each manager knows all',
        () => Object.entries(policyStates()).map(([state, value]) => ({ labels: { state }, value })),
        ['state'],
      )
    if (models !== undefined)
      gauge(
        'varmor_models',
        'Behaviour models, by whether their profiles are there; each manager knows all',
        () => Object.entries(models()).map(([ready, value]) => ({ labels: { ready }, value })),
        ['ready'],
      )
    if (outlines !== undefined)
      gauge(
        'varmor_objects_outlined',
        'Objects of which the manager keeps an outline only, or nothing, as they take more memory than tenants get or are too many; they are not carried out',
        () => Object.entries(outlines()).map(([resource, value]) => ({ labels: { resource }, value })),
        ['resource'],
      )
    if (queues !== undefined)
      gauge(
        'varmor_queue_depth',
        'What waits in a queue',
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
