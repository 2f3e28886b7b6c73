import { expect } from 'chai'
import type { AgentSources } from '../../../src/agent/metrics/agent-metric.ts'
import { agentMetrics, agentMetricTable } from '../../../src/agent/metrics/agent-metrics.ts'
import { type Count, ViolationCounts } from '../../../src/agent/violations/violation-counts.ts'
import type { BatchResult } from '../../../src/audit/batch/batch.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import type { ForkStats } from '../../../src/audit/lineage/fork-addon.ts'
import type { Queue } from '../../../src/audit/pipeline/pipeline.ts'
import { demo } from '../../audit/harness.ts'
import { readExposition } from '../../metrics/exposition.ts'

const result = (profileNames: readonly string[], more: Partial<BatchResult> = {}): BatchResult =>
  ({
    ...{ read: profileNames.length, written: profileNames.length, filtered: 0, undecodable: 0 },
    ...{ deferred: [], unresolved: {}, output: new Uint8Array(0) },
    counts: profileNames.map((profileName) => ({ enforcer: 'AppArmor', action: 'DENIED', profileName, events: 1 })),
    ...more,
  }) as unknown as BatchResult

function world(more: Partial<AgentSources> = {}) {
  const feed = new SnapshotFeed(demo)
  const counts = new ViolationCounts(feed)
  const { registry } = agentMetrics(
    {
      ...{ feed, counts, lineage: { stats: undefined, overruns: 4 }, restarts: () => ({ violations: 3 }) },
      ...{ silence: { samples: [], enabled: undefined } },
      ...more,
    },
    { process: false },
  )
  return { feed, counts, scrape: async () => readExposition(await registry.metrics()) }
}

const live = (counts: Count[], queues: Queue[] = []) => ({
  source: 'multicast' as const,
  counts: () => counts,
  queues: () => queues,
  holding: () => 2,
})
const count = (name: Count['name'], value: number, labels: Record<string, string> = {}): Count => ({
  ...{ name, labels, value },
})

describe('metrics of the agent', () => {
  it('keep the conventions of Prometheus', () => {
    for (const { name, type, help, labels = {} } of agentMetricTable) {
      expect(name).to.match(/^varmor_[a-z]+(_[a-z]+)*$/)
      expect(name.endsWith('_total'), name).to.equal(type === 'counter')
      expect(help, name).to.match(/^\S.*[^.]$/)
      for (const label of Object.keys(labels)) expect(label, name).to.match(/^[a-z]+(_[a-z]+)*$/)
    }
  })

  it('count violations by enforcer, action and policy', async () => {
    const { counts, scrape } = world()
    counts.accounting.processed(
      result(['varmor-demo-demo-1', 'varmor-demo-demo-1', 'varmor-cluster-varmor-all']),
      false,
    )
    counts.accounting.processed(result(['varmor-forged'], { unresolved: { 'process-gone': 4 } }), false)
    const { value } = await scrape()
    const of = (policy_namespace: string, policy: string) =>
      value('varmor_violations_total', { enforcer: 'AppArmor', action: 'DENIED', policy_namespace, policy })
    expect([of('demo', 'demo-1'), of('', 'all'), of('', '')]).to.deep.equal([2, 1, 1])
    expect(value('varmor_audit_records_read_total')).to.equal(4)
    expect(value('varmor_violations_unresolved_total', { reason: 'process-gone' })).to.equal(4)
    expect(value('varmor_violations_unresolved_total', { reason: 'pid-reused' })).to.equal(0)
  })

  it('have as many series as there are policies, whatever records say', async () => {
    const { counts, scrape } = world()
    for (let i = 0; i < 20; i++)
      counts.accounting.processed(
        result(Array.from({ length: 1_000 }, (_, n) => `varmor-forged-${i * 1_000 + n}`)),
        false,
      )
    const { samples } = await scrape()
    expect(samples.filter(({ name }) => name === 'varmor_violations_total')).to.have.length(1)
    expect(samples.length).to.be.below(120)
  })

  it('name a policy that has gone as it was', async () => {
    const { feed, counts, scrape } = world()
    counts.accounting.processed(result(['varmor-demo-demo-1']), false)
    feed.update({ withoutPolicies: ['varmor-demo-demo-1'] })
    const { value } = await scrape()
    expect(value('varmor_violations_total', { policy_namespace: 'demo', policy: 'demo-1' })).to.equal(1)
    expect(value('varmor_policies')).to.equal(1)
  })

  it('never go back when a pipeline ends and another one begins', async () => {
    const { counts, scrape } = world()
    const lost = { where: 'socket', why: 'full' }
    const seen = async () => {
      const { value } = await scrape()
      return ['varmor_decode_seconds_total', 'varmor_audit_lost_total'].map((name) => value(name) ?? 0)
    }
    expect(await seen()).to.deep.equal([0, 0])
    const first = [count('decodeSeconds', 1.5), count('lost', 2, lost)]
    counts.begin(live(first))
    expect(await seen()).to.deep.equal([1.5, 2])
    first[1] = count('lost', 7, lost)
    counts.end()
    expect(await seen()).to.deep.equal([1.5, 7])
    counts.begin(live([count('decodeSeconds', 0.25), count('lost', 0, lost), count('restarts', 2, { part: 'source' })]))
    expect(await seen()).to.deep.equal([1.75, 7])
    const { value } = await scrape()
    expect(value('varmor_part_failures_total', { part: 'pipeline' })).to.equal(1)
    expect(value('varmor_part_failures_total', { part: 'source' })).to.equal(2)
    counts.end()
    counts.end()
    expect(await seen()).to.deep.equal([1.75, 7])
  })

  it('say of the fork tree what it knows, and what it has no room for', async () => {
    const stats = { known: 9, living: 7, unlabelled: 5 } as ForkStats
    const { value } = await world({ lineage: { stats, overruns: 4 } }).scrape()
    expect(['living', 'ended'].map((state) => value('varmor_fork_processes', { state }))).to.deep.equal([7, 2])
    expect([value('varmor_forks_followed'), value('varmor_fork_unlabelled_total')]).to.deep.equal([1, 5])
  })

  it('say which records the kernel does not make, and how its audit is switched', async () => {
    const samples = [{ records: 'AppArmor' as const, reason: 'rule' as const, value: 1 }]
    const { value } = await world({ silence: { samples, enabled: 2 } }).scrape()
    expect(value('varmor_audit_silenced', { records: 'AppArmor', reason: 'rule' })).to.equal(1)
    const states = ['off', 'on', 'locked', 'unknown']
    expect(states.map((state) => value('varmor_audit_switch', { state }))).to.deep.equal([0, 0, 1, 0])
    const unknown = await world().scrape()
    expect(states.map((state) => unknown.value('varmor_audit_switch', { state }))).to.deep.equal([0, 0, 0, 1])
  })

  it('say which source is in use, and what waits where', async () => {
    const { counts, scrape } = world()
    const kinds = async () => {
      const { value } = await scrape()
      return ['multicast', 'file', 'kmsg', 'none'].map((kind) => value('varmor_audit_source', { kind }))
    }
    expect(await kinds()).to.deep.equal([0, 0, 0, 1])
    counts.begin(
      live(
        [],
        [
          { queue: 'batches', depth: 2, age: 0.5 },
          { queue: 'log', depth: 9, bytes: 1234, age: 3 },
        ],
      ),
    )
    expect(await kinds()).to.deep.equal([1, 0, 0, 0])
    const { value } = await scrape()
    expect(value('varmor_queue_depth', { queue: 'batches' })).to.equal(2)
    expect(value('varmor_queue_bytes', { queue: 'log' })).to.equal(1234)
    expect(value('varmor_containers_held_back')).to.equal(2)
    expect([value('varmor_forks_followed'), value('varmor_fork_overruns_total')]).to.deep.equal([0, 4])
    expect(value('varmor_queue_bytes', { queue: 'batches' })).to.equal(undefined)
    expect(value('varmor_queue_age_seconds', { queue: 'log' })).to.equal(3)
    counts.end()
    expect(await kinds()).to.deep.equal([0, 0, 0, 1])
    expect((await scrape()).value('varmor_queue_depth', { queue: 'batches' })).to.equal(undefined)
  })

  it('say how far the node is, where profiles are loaded', async () => {
    const cluster = {
      ...{ ready: true, profiles: { loaded: 5, pending: 1, failed: 2 } },
      ...{ containersListed: true, actors: { families: {} } },
    }
    const { value } = await world({ cluster: () => cluster }).scrape()
    expect(['loaded', 'pending', 'failed'].map((state) => value('varmor_profiles', { state }))).to.deep.equal([5, 1, 2])
    expect([value('varmor_ready'), value('varmor_containers_listed')]).to.deep.equal([1, 1])
    expect(value('varmor_part_failures_total', { part: 'violations' })).to.equal(3)
    expect([value('varmor_containers'), value('varmor_policies')]).to.deep.equal([2, 2])
    const alone = await world().scrape()
    expect(alone.samples.filter(({ name }) => /varmor_(ready|profiles|containers_listed)/.test(name))).to.deep.equal([])
  })

  it('measure the lag by a histogram', async () => {
    const { counts, scrape } = world()
    counts.accounting.lag.add(0.02, 40)
    counts.accounting.lag.add(400)
    const { value } = await scrape()
    expect(value('varmor_violation_lag_seconds_bucket', { le: '0.01' })).to.equal(0)
    expect(value('varmor_violation_lag_seconds_bucket', { le: '0.025' })).to.equal(40)
    expect(value('varmor_violation_lag_seconds_bucket', { le: '+Inf' })).to.equal(41)
    expect(value('varmor_violation_lag_seconds_sum')).to.be.closeTo(400.8, 1e-6)
  })

  it('have the values of labels that are listed', async () => {
    const { counts, scrape } = world()
    counts.begin(
      live([count('workerFailures', 1, { kind: 'stuck' })], [{ queue: 'deferred', depth: 1, bytes: 1, age: 1 }]),
    )
    counts.accounting.processed(result(['varmor-demo-demo-1'], { unresolved: { 'no-pid': 1 } }), false)
    const { samples } = await scrape()
    for (const { name, labels = {} } of agentMetricTable)
      for (const sample of samples.filter((other) => other.name === name))
        for (const [label, value] of Object.entries(sample.labels)) {
          const allowed = labels[label]
          expect(allowed, `${name} ${label}`).not.to.equal(undefined)
          if (typeof allowed !== 'string') expect(allowed).to.include(value)
        }
  })
})
