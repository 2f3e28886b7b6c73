import { expect } from 'chai'
import { pods, type StatefulSet, statefulSets } from '../../../src/sandbox/controllers/objects.ts'
import { isActive, isReady } from '../../../src/sandbox/controllers/pods.ts'
import { SmallCluster, template } from './harness.ts'

const labels = { app: 'db' }
const create = (cluster: SmallCluster, spec: object = {}): Promise<StatefulSet> =>
  cluster.create(statefulSets, {
    metadata: { name: 'db' },
    spec: { serviceName: 'db', replicas: 3, selector: { matchLabels: labels }, template: template(labels), ...spec },
  })
const current = (cluster: SmallCluster): StatefulSet => cluster.one(statefulSets, 'db')!
const change = (cluster: SmallCluster, spec: object): Promise<StatefulSet> =>
  cluster.patch(statefulSets, 'db', { spec })
const namesOf = (cluster: SmallCluster): string[] =>
  cluster
    .all(pods)
    .map(({ metadata }) => metadata.name)
    .sort()
const images = (cluster: SmallCluster): Record<string, string | undefined> =>
  Object.fromEntries(cluster.all(pods).map(({ metadata, spec }) => [metadata.name, spec.containers[0]?.image]))

describe('stateful sets in the sandbox', () => {
  let cluster: SmallCluster

  beforeEach(async () => {
    cluster = await SmallCluster.start({ behaviour: () => ({ readyAfter: 2000, stopAfter: 500 }) })
  })

  afterEach(() => {
    expect(cluster.problems).to.deep.equal([])
    cluster.stop()
  })

  it('begin one pod after the other, each with its name and its revision', async () => {
    await create(cluster)
    await cluster.runFor(1000)
    expect(namesOf(cluster)).to.deep.equal(['db-0'])
    await cluster.runFor(2000)
    expect(namesOf(cluster)).to.deep.equal(['db-0', 'db-1'])
    await cluster.runFor(10_000)
    expect(namesOf(cluster)).to.deep.equal(['db-0', 'db-1', 'db-2'])
    const pod = cluster.one(pods, 'db-1')!
    const { currentRevision = '' } = current(cluster).status!
    expect(pod.metadata.labels).to.deep.equal({
      ...labels,
      'apps.kubernetes.io/pod-index': '1',
      'controller-revision-hash': currentRevision,
      'statefulset.kubernetes.io/pod-name': 'db-1',
    })
    expect(pod.spec).to.include({ hostname: 'db-1', subdomain: 'db' })
    expect(current(cluster).status).to.deep.include({
      replicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      updateRevision: currentRevision,
      collisionCount: 0,
    })
  })

  it('shrink from the last pod on, and wait for each', async () => {
    await create(cluster)
    await cluster.runFor(10_000)
    await change(cluster, { replicas: 1 })
    await cluster.runFor(400)
    expect(
      cluster
        .all(pods)
        .filter(isActive)
        .map(({ metadata }) => metadata.name),
    ).to.deep.equal(['db-0', 'db-1'])
    await cluster.runFor(5000)
    expect(namesOf(cluster)).to.deep.equal(['db-0'])
  })

  it('roll from the last pod to the first, one at a time, and then call the new revision the current one', async () => {
    await create(cluster)
    await cluster.runFor(10_000)
    const before = current(cluster).status!.currentRevision
    let least = 3
    const order: string[] = []
    cluster.onChange(() => {
      least = Math.min(least, cluster.all(pods).filter((pod) => isActive(pod) && isReady(pod)).length)
      for (const [name, image] of Object.entries(images(cluster)))
        if (image === 'web:2' && !order.includes(name)) order.push(name)
    })
    await change(cluster, { template: template(labels, 'web:2') })
    await cluster.runFor(30_000)
    expect(order).to.deep.equal(['db-2', 'db-1', 'db-0'])
    expect(least).to.equal(2)
    const { currentRevision, updateRevision } = current(cluster).status!
    expect(currentRevision).to.equal(updateRevision).and.not.equal(before)
  })

  it('leave the pods below the partition', async () => {
    await create(cluster, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } })
    await cluster.runFor(10_000)
    await change(cluster, { template: template(labels, 'web:2') })
    await cluster.runFor(20_000)
    expect(images(cluster)).to.deep.equal({ 'db-0': 'web:1', 'db-1': 'web:1', 'db-2': 'web:2' })
    expect(current(cluster).status).to.include({ currentReplicas: 2, updatedReplicas: 1 })
  })

  it('OnDelete: a pod changes when it is deleted, not before', async () => {
    await create(cluster, { updateStrategy: { type: 'OnDelete' } })
    await cluster.runFor(10_000)
    await change(cluster, { template: template(labels, 'web:2') })
    await cluster.runFor(20_000)
    expect(Object.values(images(cluster))).to.deep.equal(['web:1', 'web:1', 'web:1'])
    await cluster.delete(pods, 'db-1')
    await cluster.runFor(20_000)
    expect(images(cluster)).to.deep.equal({ 'db-0': 'web:1', 'db-1': 'web:2', 'db-2': 'web:1' })
  })

  it('parallel: begin all pods at once', async () => {
    await create(cluster, { podManagementPolicy: 'Parallel' })
    await cluster.runFor(100)
    expect(namesOf(cluster)).to.deep.equal(['db-0', 'db-1', 'db-2'])
  })
})
