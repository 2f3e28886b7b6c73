import { expect } from 'chai'
import { untolerated } from '../../../src/kube/scheduling.ts'
import { deployments, nodes, pods } from '../../../src/sandbox/controllers/objects.ts'
import { conditionOf } from '../../../src/sandbox/controllers/pods.ts'
import { SmallCluster, template } from './harness.ts'

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
    const spec = { replicas: 9, selector: { matchLabels: labels }, template: template(labels) }
    await cluster.create(deployments, { metadata: { name: 'web' }, spec })
    await cluster.runFor(5000)
    const counts = new Map<string | undefined, number>()
    for (const { spec } of cluster.all(pods)) counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1)
    expect([...counts.values()]).to.deep.equal([3, 3, 3])
  })

  it('says why a pod fits nowhere, and places it once a node is for it', async () => {
    cluster = await SmallCluster.start({
      nodes: [
        { name: 'slow' },
        { name: 'cordoned', labels: { disk: 'fast' } },
        { name: 'tainted', labels: { disk: 'fast' }, taints: [{ key: 'x', effect: 'NoSchedule' }] },
      ],
    })
    await cluster.patch(nodes, 'cordoned', { spec: { unschedulable: true } })
    const make = (name: string) =>
      cluster.create(pods, {
        metadata: { name },
        spec: { nodeSelector: { disk: 'fast' }, containers: [{ name: 'c', image: 'i' }] },
      })
    const nodeOf = (name: string): string | undefined => cluster.one(pods, name)!.spec.nodeName
    await make('first')
    await cluster.runFor(1000)
    expect(conditionOf(cluster.one(pods, 'first')!.status?.conditions, 'PodScheduled')).to.include({
      status: 'False',
      reason: 'Unschedulable',
      message: 'none of 3 nodes fits, because of nodeSelector, taints, or because the node is unschedulable',
    })
    await cluster.patch(nodes, 'slow', { metadata: { labels: { disk: 'fast' } } })
    await cluster.runFor(1000)
    expect(nodeOf('first')).to.equal('slow')
    await cluster.delete(nodes, 'slow')
    await make('second')
    await cluster.runFor(1000)
    expect(nodeOf('second')).to.equal(undefined)
    await cluster.patch(nodes, 'tainted', { spec: { taints: null } })
    await cluster.runFor(1000)
    expect(nodeOf('second')).to.equal('tainted')
  })

  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' }
  const tolerations: [toleration: object, tolerated: boolean][] = [
    [{ operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ key: 'k', value: 'v' }, true],
    [{ key: 'k', value: 'w' }, false],
    [{ key: 'k', value: 'v', effect: 'NoExecute' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
    [{ value: 'v' }, false],
  ]
  for (const [toleration, tolerated] of tolerations)
    it(`${JSON.stringify(toleration)} ${tolerated ? 'tolerates' : 'does not tolerate'} k=v:NoSchedule`, () => {
      expect(untolerated([taint], [toleration])).to.equal(tolerated ? undefined : taint)
    })
})
