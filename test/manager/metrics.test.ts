import { expect } from 'chai'
import type { AnyPolicy } from '../../actors/ports.ts'
import { Simulation } from '../../actors/runtime/index.ts'
import type { ArmorProfileModel } from '../../src/api/types.ts'
import type { AdmissionRequest } from '../../src/kube/admission.ts'
import { ManagerMetrics } from '../../src/manager/metrics/manager-metrics.ts'
import { countModels } from '../../src/manager/metrics/model-counts.ts'
import { countStates, policyStates } from '../../src/manager/metrics/policy-states.ts'

const reviewOf = (group: string, kind: string): AdmissionRequest => ({
  uid: 'u',
  kind: { group, version: 'v1', kind },
  resource: { group, version: 'v1', resource: 'x' },
  operation: 'CREATE',
  userInfo: {},
  object: null,
  oldObject: null,
})

const valuesOf = async (metrics: ManagerMetrics): Promise<Map<string, number>> => {
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

/** A model that states whether it is ready, or (undefined) a model that a user has created. */
const model = (ready: boolean | undefined): ArmorProfileModel => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'ArmorProfileModel',
  metadata: { namespace: 'demo', name: 'varmor-demo-web' },
  data: { profile: { name: 'varmor-demo-web', enforcer: 'Seccomp', mode: 'enforce' } },
  ...(ready !== undefined && { status: { ready } }),
})

describe('metrics of the manager', () => {
  it('have upstream’s names for admission', async () => {
    const metrics = new ManagerMetrics({}, { process: false })
    metrics.webhook.reviewed({ request: reviewOf('apps', 'Deployment'), allowed: true, mutated: true }, 0.002)
    metrics.webhook.reviewed({ request: reviewOf('', 'Pod'), allowed: true, mutated: false }, 0.2)
    metrics.webhook.reviewed(
      { request: reviewOf('crd.varmor.org', 'VarmorPolicy'), allowed: false, mutated: false },
      0.2,
    )
    const values = await valuesOf(metrics)
    expect(values.get('varmor_admission_requests_total')).to.equal(2)
    expect(values.get('varmor_mutated_requests_total')).to.equal(1)
    expect(values.get('varmor_non_mutated_requests_total')).to.equal(1)
    const labels = 'request_kind="apps/v1, Kind=Deployment",request_operation="CREATE",request_mutated="true"'
    expect(values.get(`varmor_webhook_latency_count{${labels}}`)).to.equal(1)
    expect(values.get(`varmor_webhook_latency_bucket{le="0.1",${labels}}`)).to.equal(1)
    expect(values.get('varmor_refused_policies_total{kind="VarmorPolicy"}')).to.equal(1)
  })

  it('have one label for all reviews of kinds that the webhooks do not cover', async () => {
    const metrics = new ManagerMetrics({}, { process: false })
    for (let i = 0; i < 1_000; i++) {
      metrics.webhook.reviewed({ request: reviewOf(`g${i}`, 'Pod'), allowed: true, mutated: false }, 0.002)
      metrics.webhook.reviewed({ request: reviewOf('crd.varmor.org', `K${i}`), allowed: false, mutated: false }, 0.002)
    }
    const values = await valuesOf(metrics)
    const kinds = [...values.keys()].filter((key) => /latency_count|refused_policies/.test(key))
    expect(kinds).to.have.length(2)
    expect(values.get('varmor_refused_policies_total{kind="other"}')).to.equal(1_000)
  })

  it('count what nodes report, and forget a node that is gone', async () => {
    const metrics = new ManagerMetrics({}, { process: false })
    const profile = { namespace: 'd', name: 'p', uid: 'u', generation: 1 }
    const profiles = [
      { ...profile, state: 'loaded' as const },
      { ...profile, state: 'failed' as const },
      { ...profile, state: 'loaded' as const },
    ]
    metrics.reports.taken({ node: 'n1', agent: 'a', epoch: '', complete: false, profiles }, 0)
    metrics.reports.taken({ node: 'n1', agent: 'a', epoch: '', complete: true, profiles }, 2)
    const changed = [{ ...profiles[0]!, changed: true }, { ...profiles[1]!, changed: true }, profiles[2]!]
    metrics.reports.taken({ node: 'n2', agent: 'a', epoch: '', complete: true, profiles: changed }, 0)
    const ofTwo = await valuesOf(metrics)
    expect(ofTwo.get('varmor_profile_processing_success_total{node_name="n2"}')).to.equal(1)
    expect(ofTwo.get('varmor_profile_processing_failure_total{node_name="n2"}')).to.equal(1)
    expect(ofTwo.get('varmor_profile_change_count_total{node_name="n2"}')).to.equal(2)
    metrics.reports.answered({ status: 200, profiles: 3 })
    const values = await valuesOf(metrics)
    expect(values.get('varmor_profile_processing_success_total{node_name="n1"}')).to.equal(2)
    expect(values.get('varmor_profile_processing_failure_total{node_name="n1"}')).to.equal(1)
    expect(values.get('varmor_profile_change_count_total{node_name="n1"}')).to.equal(3)
    expect(values.get('varmor_agent_reports_total{code="200"}')).to.equal(1)
    expect(values.get('varmor_agent_report_ignored_profiles_total')).to.equal(2)
    metrics.reports.forget('n1')
    expect([...(await valuesOf(metrics)).keys()].filter((key) => key.includes('n1'))).to.deep.equal([])
  })

  it('show actors, certificates, leadership and queues as they are when somebody asks', async () => {
    const { system } = new Simulation()
    const family = system.family<number, string>('policy', {
      behaviour: { start: () => 0, receive: (state) => state + 1 },
    })
    let leads = false
    const policyOf = (status: string, reason: string) =>
      ({ status: { conditions: [{ type: 'Ready', status, reason }] } }) as unknown as AnyPolicy
    const notReady = [policyOf('False', 'Processing'), policyOf('False', 'PartlyEnforced')]
    const stored = [
      ...notReady,
      policyOf('True', 'PartlyEnforced'),
      policyOf('True', 'AllAgentsReady'),
      {} as AnyPolicy,
    ]
    const states = { enforced: 1, 'partly-enforced': 1, 'not-ready': 2, unknown: 1 }
    const metrics = new ManagerMetrics(
      {
        actors: () => system.stats(),
        certificates: () => ({ authority: 2_000_000, serving: 1_000_000 }),
        isLeader: () => leads,
        queues: () => ({ events: 3 }),
        policies: () => 7,
        policyStates: () => countStates(stored),
        models: () => countModels([model(true), model(false), model(undefined)]),
        outlines: () => ({ deployments: 4, daemonsets: 0 }),
        eventsLost: () => ({ rateLimited: 2, queueFull: 0, failed: 1, invalid: 0 }),
        failures: () => ({ certificates: 4 }),
      },
      { process: false },
    )
    expect((await valuesOf(metrics)).get('varmor_leader')).to.equal(0)
    family.of('a').tell('x')
    leads = true
    const values = await valuesOf(metrics)
    expect(values.get('varmor_actor_messages_sent_total{family="policy"}')).to.equal(1)
    expect(values.get('varmor_certificate_expiry_seconds{certificate="serving"}')).to.equal(1000)
    expect(values.get('varmor_leader')).to.equal(1)
    expect(values.get('varmor_queue_depth{queue="events"}')).to.equal(3)
    expect(values.get('varmor_indexed_policies')).to.equal(7)
    for (const state of policyStates)
      expect(values.get(`varmor_policy_states{state="${state}"}`)).to.equal(states[state])
    expect(values.get('varmor_models{ready="true"}')).to.equal(2)
    expect(values.get('varmor_models{ready="false"}')).to.equal(1)
    expect(values.get('varmor_objects_outlined{resource="deployments"}')).to.equal(4)
    expect(values.get('varmor_objects_outlined{resource="daemonsets"}')).to.equal(0)
    expect(values.get('varmor_events_lost_total{reason="rateLimited"}')).to.equal(2)
    expect(values.get('varmor_part_failures_total{part="certificates"}')).to.equal(4)
    // The metric shows the counter's value, and does not add values of several reads.
    expect((await valuesOf(metrics)).get('varmor_actor_messages_sent_total{family="policy"}')).to.equal(1)
    await system.stop()
  })

  it('count what the control plane did, by word', async () => {
    const metrics = new ManagerMetrics({}, { process: false })
    for (const action of ['status-written', 'api-error', 'status-written'] as const) metrics.counted(action)
    const values = await valuesOf(metrics)
    expect(values.get('varmor_policy_actions_total{action="status-written"}')).to.equal(2)
    expect(values.get('varmor_policy_actions_total{action="api-error"}')).to.equal(1)
  })

  it('observe calls to the API server', async () => {
    const metrics = new ManagerMetrics({}, { process: false })
    const attempt = {
      verb: 'patch',
      group: 'crd.varmor.org',
      resource: 'varmorpolicies',
      subresource: 'status',
      class: 'status',
      attempt: 1,
    } as const
    metrics.api.started!(attempt)
    expect((await valuesOf(metrics)).get('varmor_api_requests_running')).to.equal(1)
    metrics.api.ended!(attempt, { code: 409, seconds: 0.02, waited: 0.5 })
    const values = await valuesOf(metrics)
    expect(
      values.get('varmor_api_requests_total{verb="patch",resource="varmorpolicies/status.crd.varmor.org",code="409"}'),
    ).to.equal(1)
    expect(values.get('varmor_api_requests_running')).to.equal(0)
    expect(values.get('varmor_api_request_seconds_count{verb="patch"}')).to.equal(1)
    expect(values.get('varmor_api_limiter_seconds_sum{class="status"}')).to.equal(0.5)
  })
})
