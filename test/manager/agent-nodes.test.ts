import { expect } from 'chai'
import { NodeTable } from '../../actors/policy/node-table.ts'
import type { Workload } from '../../actors/ports.ts'
import type { AnyPolicy } from '../../src/api/types.ts'
import { AgentNodes, agentAccount } from '../../src/manager/agent-nodes.ts'
import type { Node, PodSpec } from '../../src/manager/cluster-resources.ts'
import { UncoveredNodes } from '../../src/manager/nodes-without-agent.ts'
import { type PolicyParts, policy } from './made-up.ts'

const account = { namespace: 'varmor', name: 'varmor-agent' }

function workload(kind: Workload['kind'], namespace: string, spec: PodSpec, more: Partial<Workload['metadata']> = {}) {
  const metadata = { name: 'web', namespace, uid: 'u', resourceVersion: '1', labels: { app: 'web' }, ...more }
  return { kind, metadata, spec: { template: { spec } } } as Workload
}

const agents = (spec: PodSpec = {}, more: Partial<Workload['metadata']> = {}, namespace = 'varmor') =>
  workload('DaemonSet', namespace, { serviceAccountName: 'varmor-agent', ...spec }, more)

const nodeWith = (labels: Record<string, string>, tainted = false): Node => ({
  metadata: { name: 'n1', labels },
  ...(tainted && { spec: { taints: [{ key: 't', effect: 'NoSchedule' }] } }),
})

describe('where agents are expected', () => {
  const pool = { nodeSelector: { pool: 'a' } }
  const rows: { title: string; sets: Workload[]; node: Node; expected: string }[] = [
    { title: 'without a DaemonSet', sets: [], node: nodeWith({}), expected: 'unsaid' },
    { title: 'with one of theirs', sets: [agents()], node: nodeWith({}), expected: 'yes' },
    { title: 'with one that selects other nodes', sets: [agents(pool)], node: nodeWith({}), expected: 'no' },
    { title: 'with one that selects it', sets: [agents(pool)], node: nodeWith({ pool: 'a' }), expected: 'yes' },
    { title: 'on a tainted node', sets: [agents()], node: nodeWith({}, true), expected: 'no' },
    { title: 'with two, of which one selects it', sets: [agents(pool), agents()], node: nodeWith({}), expected: 'yes' },
    {
      title: "with one of another's",
      sets: [agents({ serviceAccountName: 'other' })],
      node: nodeWith({}),
      expected: 'unsaid',
    },
    { title: 'with one elsewhere', sets: [agents({}, {}, 'other')], node: nodeWith({}), expected: 'unsaid' },
    {
      title: 'with one that is being deleted',
      sets: [agents({}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
      node: nodeWith({}),
      expected: 'unsaid',
    },
  ]
  for (const { title, sets, node, expected } of rows)
    it(`${title}: ${expected}`, () => {
      const found = new AgentNodes(account)
      expect(found.follow(sets)).to.equal(expected !== 'unsaid')
      expect(found.expected(node)).to.equal(expected)
      expect(found.follow(sets)).to.equal(false)
    })

  it('is known by the user of their tokens', () => {
    expect(agentAccount('system:serviceaccount:varmor:varmor-agent')).to.deep.equal(account)
    expect(agentAccount('somebody')).to.equal(undefined)
    const found = new AgentNodes(undefined)
    expect(found.follow([agents()])).to.equal(false)
    expect(found.expected(nodeWith({}))).to.equal('unsaid')
  })
})

describe('nodes without an agent where pods of a policy can land', () => {
  const names = Array.from({ length: 8 }, (_, i) => `n${i}`)
  const nodes = new NodeTable(0)
  for (const name of names) nodes.set(name, { schedulable: true, agent: 'no' }, 0)
  const node = (name: string): Node => ({
    metadata: { name, labels: { half: name < 'n4' ? 'a' : 'b' } },
    ...(name === 'n7' && { spec: { taints: [{ key: 't', effect: 'NoSchedule' }] } }),
  })

  class Stores {
    readonly all: Workload[]
    constructor(...all: Workload[]) {
      this.all = all
    }
    workloads(kind: string, namespace: string | undefined): Workload[] {
      return this.all.filter(
        (one) => one.kind === kind && (namespace ?? one.metadata.namespace) === one.metadata.namespace,
      )
    }
  }

  const half = { nodeSelector: { half: 'a' } }
  const tolerant = { tolerations: [{ operator: 'Exists' }] }
  const target = (kind: string): PolicyParts => ({
    target: { kind, selector: { matchLabels: { app: 'web' } } } as never,
  })
  const rows: { title: string; parts?: PolicyParts; workloads: Workload[]; count: number }[] = [
    { title: 'nothing runs', workloads: [], count: 0 },
    { title: 'pods may run anywhere', workloads: [workload('Deployment', 'demo', {})], count: 7 },
    { title: 'pods choose their nodes', workloads: [workload('Deployment', 'demo', half)], count: 4 },
    { title: 'pods tolerate the taint', workloads: [workload('Deployment', 'demo', tolerant)], count: 8 },
    { title: 'another namespace does not count', workloads: [workload('Deployment', 'other', {})], count: 0 },
    { title: 'another kind does not count', workloads: [workload('StatefulSet', 'demo', {})], count: 0 },
    { title: 'other labels do not count', workloads: [workload('Deployment', 'demo', {}, { labels: {} })], count: 0 },
    { title: 'pods that are made one by one', parts: target('Pod'), workloads: [], count: 7 },
    {
      title: 'all namespaces count for a cluster policy',
      parts: { ...target('Deployment'), cluster: true },
      workloads: [workload('Deployment', 'other', half)],
      count: 4,
    },
  ]
  for (const { title, parts = target('Deployment'), workloads, count } of rows)
    it(`${title}: ${count}`, () => {
      const found = new UncoveredNodes({ nodes, stores: new Stores(...workloads), node }).of(policy(parts), 5)
      expect(found.count).to.equal(count)
      expect(found.nodes).to.have.length(Math.min(5, count))
    })

  it('are looked for again only when a node, a workload of the kind and namespace, or the policy has changed', () => {
    const table = new NodeTable(0)
    const objects = new Map(names.map((name) => [name, node(name)]))
    for (const name of names) table.set(name, { schedulable: true, agent: 'no' }, 0)
    let looks = 0
    let web = workload('Deployment', 'demo', half)
    const others: Workload[] = []
    const stores = new Stores()
    stores.workloads = () => {
      looks++
      return [web, ...others]
    }
    const uncovered = new UncoveredNodes({ nodes: table, stores, node: (name) => objects.get(name) })
    const nodeIs = (name: string, labels: Record<string, string>): void => {
      const old = objects.get(name)!
      const object: Node = { ...old, metadata: { name, labels } }
      objects.set(name, object)
      uncovered.nodeChanged({ type: 'updated', key: name, object, old })
      table.set(name, { schedulable: true, agent: 'no' }, 0)
    }
    const changed = (metadata: Partial<Workload['metadata']>, spec = web.spec): boolean => {
      const old = web
      web = { ...old, metadata: { ...old.metadata, ...metadata }, spec }
      return uncovered.workloadChanged({ type: 'updated', key: 'demo/web', object: web, old })
    }
    let mine = policy(target('Deployment')) as AnyPolicy
    const added = (namespace: string) => () => {
      const object = workload('Deployment', namespace, {}, { name: 'new' })
      others.push(object)
      return uncovered.workloadChanged({ type: 'added', key: `${namespace}/new`, object })
    }
    const steps: [what: string, step: () => unknown, count: number, looks: number][] = [
      ['at first', () => undefined, 4, 1],
      ['nothing', () => undefined, 4, 0],
      ['a heartbeat of a node', () => nodeIs('n1', { half: 'a' }), 4, 0],
      ['labels of a node', () => nodeIs('n1', { half: 'b' }), 3, 1],
      ['an agent on a node', () => table.set('n2', { schedulable: true, agent: 'yes' }, 0), 2, 1],
      ['a node that is gone', () => table.remove('n3'), 1, 1],
      ['the status of the workload', () => expect(changed({ resourceVersion: '2' })).to.equal(false), 1, 0],
      ['a new workload elsewhere', added('other'), 1, 0],
      [
        'the template of the workload',
        () => changed({ generation: 2 }, { template: { spec: { nodeSelector: { half: 'b' } } as never } }),
        4,
        1,
      ],
      ['labels of the workload', () => expect(changed({ labels: { app: 'other' } })).to.equal(true), 0, 1],
      [
        'the policy',
        () => {
          mine = { ...mine, metadata: { ...mine.metadata, generation: 2 } }
        },
        0,
        1,
      ],
    ]
    for (const [what, step, count, expected] of steps) {
      step()
      others.splice(0)
      looks = 0
      expect(uncovered.of(mine, 5).count, what).to.equal(count)
      expect(looks, what).to.equal(expected)
    }
  })

  describe('have bounded answers', () => {
    const world = () => {
      let looks = 0
      const found = new UncoveredNodes({
        nodes,
        stores: new Stores(),
        node: (name) => {
          if (name === 'n0') looks++
          return node(name)
        },
      })
      const looksFor = (name: string): number => {
        looks = 0
        found.of(policy({ ...target('Pod'), name }), 5)
        return looks
      }
      return { found, looksFor }
    }

    it('for the 10,000 policies that asked last', () => {
      const { looksFor } = world()
      for (let i = 0; i <= 10_000; i++) expect(looksFor(`web-${i}`)).to.equal(1)
      expect(looksFor('web-1')).to.equal(0)
      expect(looksFor('web-0')).to.equal(1)
    })

    it('and a bounded number of changes: beyond 10,000 kinds and namespaces, all answers are computed again', () => {
      const { found, looksFor } = world()
      expect([looksFor('web'), looksFor('web')]).to.deep.equal([1, 0])
      const added = (i: number) => {
        const object = workload('Deployment', `demo-${i}`, {})
        found.workloadChanged({ type: 'added', key: `demo-${i}/web`, object })
      }
      for (let i = 1; i < 10_000; i++) added(i)
      expect(looksFor('web')).to.equal(0)
      added(10_000)
      expect(looksFor('web')).to.equal(1)
    })
  })
})
