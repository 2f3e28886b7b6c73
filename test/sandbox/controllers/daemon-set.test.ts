import { expect } from 'chai'
import { isActive, isReady } from '../../../src/sandbox/controllers/pod-state.ts'
import { controllerRevisions, daemonSets, nodes, pods } from '../../../src/sandbox/controllers/resources.ts'
import type { DaemonSet } from '../../../src/sandbox/controllers/types.ts'
import { SmallCluster, template } from './harness.ts'

const labels = { app: 'agent' }
const create = (cluster: SmallCluster, spec: object = {}): Promise<DaemonSet> =>
  cluster.apply(daemonSets, {
    metadata: { name: 'agent' },
    spec: { selector: { matchLabels: labels }, template: template(labels), ...spec },
  })
const current = (cluster: SmallCluster): DaemonSet => cluster.one(daemonSets, 'agent')!
const setImage = (cluster: SmallCluster, image: string): Promise<DaemonSet> =>
  cluster.client.patch(daemonSets, current(cluster), { spec: { template: template(labels, image) } }, { type: 'merge' })
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
    const relabel = (name: string, disk: string) =>
      cluster.client.patch(nodes, cluster.one(nodes, name)!, { metadata: { labels: { disk } } }, { type: 'merge' })
    await relabel('three', 'fast')
    await relabel('one', 'slow')
    await cluster.runFor(5000)
    expect(placesOf(cluster)).to.deep.equal(['three', 'two'])
  })

  it('run on nodes that are cordoned', async () => {
    await cluster.client.patch(nodes, cluster.one(nodes, 'one')!, { spec: { unschedulable: true } }, { type: 'merge' })
    await cluster.runFor(1000)
    await create(cluster)
    await cluster.runFor(5000)
    expect(placesOf(cluster)).to.deep.equal(['one', 'three', 'two'])
  })

  const rollouts = [
    { rollingUpdate: { maxUnavailable: 1 }, least: 2, most: 3 },
    { rollingUpdate: { maxUnavailable: 2 }, least: 1, most: 3 },
    { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }, least: 3, most: 4 },
  ]
  for (const { rollingUpdate, least, most } of rollouts)
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
      expect(
        cluster
          .all(controllerRevisions)
          .map(({ revision }) => revision)
          .sort(),
      ).to.deep.equal([1, 2])
    })

  it('OnDelete: a pod changes when it is deleted, not before', async () => {
    await create(cluster, { updateStrategy: { type: 'OnDelete' } })
    await cluster.runFor(5000)
    await setImage(cluster, 'web:2')
    await cluster.runFor(10_000)
    expect(imagesOf(cluster)).to.deep.equal(['web:1', 'web:1', 'web:1'])
    await cluster.client.delete(pods, cluster.all(pods)[0]!)
    await cluster.runFor(10_000)
    expect(imagesOf(cluster).sort()).to.deep.equal(['web:1', 'web:1', 'web:2'])
  })
})
