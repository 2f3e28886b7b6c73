import { expect } from 'chai'
import { type DaemonSet, daemonSets, nodes, pods } from '../../../src/sandbox/controllers/objects.ts'
import { isActive, isReady } from '../../../src/sandbox/controllers/pods.ts'
import { SmallCluster, template } from './harness.ts'

const labels = { app: 'agent' }
const create = (cluster: SmallCluster, spec: object = {}): Promise<DaemonSet> =>
  cluster.create(daemonSets, {
    metadata: { name: 'agent' },
    spec: { selector: { matchLabels: labels }, template: template(labels), ...spec },
  })
const current = (cluster: SmallCluster): DaemonSet => cluster.one(daemonSets, 'agent')!
const setImage = (cluster: SmallCluster, image: string): Promise<DaemonSet> =>
  cluster.patch(daemonSets, 'agent', { spec: { template: template(labels, image) } })
const placesOf = (cluster: SmallCluster): (string | undefined)[] =>
  cluster
    .all(pods)
    .map(({ spec }) => spec.nodeName)
    .sort()
const imagesOf = (cluster: SmallCluster): (string | undefined)[] =>
  cluster.all(pods).map(({ spec }) => spec.containers[0]?.image)

const described = [
  { name: 'one', labels: { disk: 'fast' } },
  { name: 'two', labels: { disk: 'fast' } },
  { name: 'three', labels: { disk: 'slow' } },
  { name: 'four', labels: { disk: 'fast' }, taints: [{ key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }] },
]

describe('daemon sets in the sandbox', () => {
  let cluster: SmallCluster

  beforeEach(async () => {
    cluster = await SmallCluster.start({ nodes: described, behaviour: () => ({ readyAfter: 2000, stopAfter: 500 }) })
  })

  afterEach(() => {
    expect(cluster.problems).to.deep.equal([])
    cluster.stop()
  })

  const rows: { title: string; more: object; places: string[] }[] = [
    { title: 'each node without a taint', more: {}, places: ['one', 'three', 'two'] },
    { title: 'nodes that the selector names', more: { nodeSelector: { disk: 'fast' } }, places: ['one', 'two'] },
    {
      title: 'tainted nodes that they tolerate',
      more: { tolerations: [{ key: 'dedicated', operator: 'Exists' }] },
      places: ['four', 'one', 'three', 'two'],
    },
  ]
  for (const { title, more, places } of rows)
    it(`run once on ${title}`, async () => {
      await create(cluster, { template: template(labels, 'web:1', more) })
      await cluster.runFor(10_000)
      expect(placesOf(cluster)).to.deep.equal(places)
      const count = places.length
      expect(current(cluster).status).to.deep.equal({
        observedGeneration: 1,
        desiredNumberScheduled: count,
        currentNumberScheduled: count,
        updatedNumberScheduled: count,
        numberReady: count,
        numberAvailable: count,
        numberMisscheduled: 0,
      })
    })

  it('come to a node that is added, and go from one that is not for them any more', async () => {
    await create(cluster, { template: template(labels, 'web:1', { nodeSelector: { disk: 'fast' } }) })
    await cluster.runFor(5000)
    const relabel = (name: string, disk: string) => cluster.patch(nodes, name, { metadata: { labels: { disk } } })
    await relabel('three', 'fast')
    await relabel('one', 'slow')
    await cluster.runFor(5000)
    expect(placesOf(cluster)).to.deep.equal(['three', 'two'])
  })

  it('run on nodes that are cordoned', async () => {
    await cluster.patch(nodes, 'one', { spec: { unschedulable: true } })
    await cluster.runFor(1000)
    await create(cluster)
    await cluster.runFor(5000)
    expect(placesOf(cluster)).to.deep.equal(['one', 'three', 'two'])
  })

  const rollouts = [
    { rollingUpdate: { maxUnavailable: 1 }, least: 2, max: 3 },
    { rollingUpdate: { maxUnavailable: 2 }, least: 1, max: 3 },
    { rollingUpdate: { maxUnavailable: '50%' }, least: 1, max: 3 },
  ]
  for (const { rollingUpdate, least, max: most } of rollouts)
    it(`roll with ${JSON.stringify(rollingUpdate)}: at least ${least} ready, at most ${most} there`, async () => {
      await create(cluster, { updateStrategy: { type: 'RollingUpdate', rollingUpdate } })
      await cluster.runFor(10_000)
      let lowest = 3
      let highest = 0
      cluster.onChange(() => {
        const active = cluster.all(pods).filter(isActive)
        lowest = Math.min(lowest, active.filter(isReady).length)
        highest = Math.max(highest, active.length)
      })
      await setImage(cluster, 'web:2')
      await cluster.runFor(30_000)
      expect(imagesOf(cluster)).to.deep.equal(['web:2', 'web:2', 'web:2'])
      expect(lowest).to.be.at.least(least)
      expect(highest).to.be.at.most(most)
      expect(current(cluster).status).to.include({
        updatedNumberScheduled: 3,
        numberAvailable: 3,
        observedGeneration: 2,
      })
    })

  it('OnDelete: a pod changes when it is deleted, not before', async () => {
    await create(cluster, { updateStrategy: { type: 'OnDelete' } })
    await cluster.runFor(5000)
    await setImage(cluster, 'web:2')
    await cluster.runFor(10_000)
    expect(imagesOf(cluster)).to.deep.equal(['web:1', 'web:1', 'web:1'])
    await cluster.delete(pods, cluster.all(pods)[0]!.metadata.name)
    await cluster.runFor(10_000)
    expect(imagesOf(cluster).sort()).to.deep.equal(['web:1', 'web:1', 'web:2'])
  })
})
