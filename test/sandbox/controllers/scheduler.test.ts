import { expect } from 'chai'
import { conditionOf } from '../../../src/sandbox/controllers/pod-state.ts'
import { deployments, nodes, pods } from '../../../src/sandbox/controllers/resources.ts'
import { tolerates } from '../../../src/sandbox/controllers/scheduler/node-fit.ts'
import { podAmounts } from '../../../src/sandbox/controllers/scheduler/resource-amounts.ts'
import type { Taint, Toleration } from '../../../src/sandbox/controllers/types.ts'
import { SmallCluster, template } from './harness.ts'

const requests = (cpu: string) => ({ resources: { requests: { cpu } } })

describe('the scheduler of the sandbox', () => {
  let cluster: SmallCluster

  afterEach(() => {
    if (!cluster) return
    expect(cluster.problems).to.deep.equal([])
    cluster.stop()
  })

  it('spreads the pods of an owner over the nodes', async () => {
    cluster = await SmallCluster.start({ nodes: 3 })
    const labels = { app: 'web' }
    await cluster.apply(deployments, {
      metadata: { name: 'web' },
      spec: { replicas: 9, selector: { matchLabels: labels }, template: template(labels) },
    })
    await cluster.runFor(5000)
    const counts = new Map<string | undefined, number>()
    for (const { spec } of cluster.all(pods)) counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1)
    expect([...counts.values()]).to.deep.equal([3, 3, 3])
  })

  it('says why a pod fits nowhere, and places it once there is room', async () => {
    cluster = await SmallCluster.start({
      nodes: [
        { name: 'small', capacity: { cpu: '1' } },
        { name: 'closed', taints: [{ key: 'x', effect: 'NoSchedule' }] },
      ],
    })
    const make = (name: string, cpu: string) =>
      cluster.apply(pods, { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i', ...requests(cpu) }] } })
    const first = await make('first', '600m')
    await cluster.runFor(1000)
    await make('second', '500m')
    await cluster.runFor(1000)
    expect(conditionOf(cluster.one(pods, 'second')!.status?.conditions, 'PodScheduled')).to.include({
      status: 'False',
      reason: 'Unschedulable',
      message: '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s).',
    })
    await cluster.client.delete(pods, first)
    await cluster.runFor(5000)
    expect(cluster.one(pods, 'second')!.spec.nodeName).to.equal('small')
    await make('third', '4')
    await cluster.runFor(1000)
    expect(cluster.one(pods, 'third')!.spec.nodeName).to.equal(undefined)
    const closed = cluster.one(nodes, 'closed')!
    await cluster.client.patch(nodes, closed, { spec: { taints: null } }, { type: 'merge' })
    await cluster.runFor(1000)
    expect(cluster.one(pods, 'third')!.spec.nodeName).to.equal('closed')
  })

  it('puts no more on a node than it has, however many come at once', async () => {
    cluster = await SmallCluster.start({
      nodes: [
        { name: 'a', capacity: { cpu: '2' } },
        { name: 'b', capacity: { cpu: '3' } },
      ],
    })
    const labels = { app: 'web' }
    const containers = [{ name: 'web', image: 'i', ...requests('500m') }]
    await cluster.apply(deployments, {
      metadata: { name: 'web' },
      spec: {
        replicas: 20,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers } },
      },
    })
    await cluster.runFor(5000)
    const on = (name: string) => cluster.all(pods).filter(({ spec }) => spec.nodeName === name).length
    expect([on('a'), on('b')]).to.deep.equal([4, 6])
  })

  const taint: Taint = { key: 'k', value: 'v', effect: 'NoSchedule' }
  const tolerations: { toleration: Toleration; tolerated: boolean }[] = [
    { toleration: { operator: 'Exists' }, tolerated: true },
    { toleration: { key: 'k', operator: 'Exists' }, tolerated: true },
    { toleration: { key: 'k', value: 'v' }, tolerated: true },
    { toleration: { key: 'k', value: 'w' }, tolerated: false },
    { toleration: { key: 'k', value: 'v', effect: 'NoExecute' }, tolerated: false },
    { toleration: { key: 'other', operator: 'Exists' }, tolerated: false },
    { toleration: { value: 'v' }, tolerated: false },
  ]
  for (const { toleration, tolerated } of tolerations)
    it(`${JSON.stringify(toleration)} ${tolerated ? 'tolerates' : 'does not tolerate'} k=v:NoSchedule`, () => {
      expect(tolerates(toleration, taint)).to.equal(tolerated)
    })

  it('counts what a pod needs: its containers with sidecars, or the largest init container', () => {
    const amounts = podAmounts({
      containers: [
        { name: 'a', ...requests('1') },
        { name: 'b', ...requests('500m') },
      ],
      initContainers: [
        { name: 'side', restartPolicy: 'Always', ...requests('250m') },
        { name: 'large', ...requests('2') },
      ],
      overhead: { cpu: '10m' },
    })
    expect(Object.fromEntries(amounts)).to.deep.equal({ cpu: 2.26, pods: 1 })
  })
})
