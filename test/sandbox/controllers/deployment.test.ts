import { expect } from 'chai'
import { type Deployment, deployments, pods, replicaSets } from '../../../src/sandbox/controllers/objects.ts'
import { conditionOf, isActive, isReady } from '../../../src/sandbox/controllers/pods.ts'
import { faultsOf } from '../faults.ts'
import { SmallCluster, template } from './harness.ts'

const labels = { app: 'web' }
const selector = { matchLabels: labels }
const never = { readyAfter: 1e9 }
const slow = () => ({ readyAfter: 2000, stopAfter: 500 })

const deploy = (cluster: SmallCluster, spec: object, annotations: Record<string, string> = {}): Promise<Deployment> =>
  cluster.create(deployments, {
    metadata: { name: 'web', annotations },
    spec: { replicas: 3, selector, template: template(labels), ...spec },
  })

const current = (cluster: SmallCluster): Deployment => cluster.one(deployments, 'web')!
const change = (cluster: SmallCluster, spec: object): Promise<Deployment> => cluster.patch(deployments, 'web', { spec })
const setImage = (cluster: SmallCluster, image: string): Promise<Deployment> =>
  change(cluster, { template: template(labels, image) })

const isDone = (cluster: SmallCluster) => (): boolean => {
  const { spec, status = {}, metadata } = current(cluster)
  const { observedGeneration, updatedReplicas = 0, replicas = 0, availableReplicas = 0 } = status
  return (
    observedGeneration === metadata.generation &&
    [updatedReplicas, replicas, availableReplicas].every((count) => count === spec.replicas)
  )
}

const reasonOf = (cluster: SmallCluster, type: string): string | undefined => {
  const condition = conditionOf(current(cluster).status?.conditions, type)
  return condition && `${condition.status} ${condition.reason}`
}

describe('deployments in the sandbox', () => {
  let cluster: SmallCluster

  afterEach(() => {
    expect(cluster.problems).to.deep.equal([])
    cluster.stop()
  })

  it('end in running pods and say so as Kubernetes does', async () => {
    cluster = await SmallCluster.start({ behaviour: slow })
    await deploy(cluster, {}, { 'kubernetes.io/change-cause': 'first' })
    await cluster.runFor(1000)
    expect(reasonOf(cluster, 'Progressing')).to.equal('True ReplicaSetUpdated')
    expect(reasonOf(cluster, 'Available')).to.equal('False MinimumReplicasUnavailable')
    expect(current(cluster).status).to.include({ replicas: 3, updatedReplicas: 3, unavailableReplicas: 3 })
    expect(await cluster.runUntil(isDone(cluster))).to.equal(true)
    expect(reasonOf(cluster, 'Progressing')).to.equal('True NewReplicaSetAvailable')
    expect(reasonOf(cluster, 'Available')).to.equal('True MinimumReplicasAvailable')
    const { status, metadata } = current(cluster)
    const { conditions, ...counts } = status!
    expect(conditions?.map(({ type }) => type)).to.deep.equal(['Available', 'Progressing'])
    expect(counts).to.deep.equal({
      observedGeneration: 1,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
    })
    expect(metadata.annotations?.['deployment.kubernetes.io/revision']).to.equal('1')
    const [set] = cluster.all(replicaSets)
    expect(set!.metadata.annotations).to.deep.equal({
      'deployment.kubernetes.io/revision': '1',
      'kubernetes.io/change-cause': 'first',
    })
    const hash = set!.metadata.labels!['pod-template-hash']!
    expect(set!.metadata.name).to.equal(`web-${hash}`)
    for (const pod of cluster.all(pods)) {
      expect(pod.metadata.labels).to.deep.equal({ ...labels, 'pod-template-hash': hash })
      expect(pod.metadata.name).to.match(new RegExp(`^web-${hash}-[b-z2-9]{5}$`))
    }
  })

  const rollouts: {
    replicas: number
    maxSurge: number | string
    maxUnavailable: number | string
    surge: number
    down: number
  }[] = [
    { replicas: 4, maxSurge: '25%', maxUnavailable: '25%', surge: 1, down: 1 },
    { replicas: 3, maxSurge: 1, maxUnavailable: 0, surge: 1, down: 0 },
    { replicas: 3, maxSurge: 0, maxUnavailable: 1, surge: 0, down: 1 },
    { replicas: 10, maxSurge: 3, maxUnavailable: 2, surge: 3, down: 2 },
    { replicas: 2, maxSurge: 0, maxUnavailable: '1%', surge: 0, down: 1 },
    { replicas: 7, maxSurge: '100%', maxUnavailable: '0%', surge: 7, down: 0 },
    { replicas: 5, maxSurge: 0, maxUnavailable: '100%', surge: 0, down: 5 },
  ]
  for (const { replicas, maxSurge, maxUnavailable, surge, down } of rollouts)
    it(`roll ${replicas} pods with at most ${surge} more and ${down} fewer (${maxSurge}, ${maxUnavailable})`, async () => {
      cluster = await SmallCluster.start({ behaviour: slow })
      await deploy(cluster, {
        replicas,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
      })
      expect(await cluster.runUntil(isDone(cluster))).to.equal(true)
      let max = 0
      let least = replicas
      cluster.onChange(() => {
        const active = cluster.all(pods).filter(isActive)
        max = Math.max(max, active.length)
        least = Math.min(least, active.filter(isReady).length)
      })
      await setImage(cluster, 'web:2')
      expect(await cluster.runUntil(isDone(cluster))).to.equal(true)
      expect(max).to.be.at.most(replicas + surge)
      expect(least).to.be.at.least(replicas - down)
      expect(
        cluster
          .all(pods)
          .filter(isActive)
          .map(({ spec }) => spec.containers[0]?.image),
      ).to.deep.equal(Array.from({ length: replicas }, () => 'web:2'))
    })

  it('recreate: no new pod before the last old one is gone', async () => {
    cluster = await SmallCluster.start({ behaviour: slow })
    await deploy(cluster, { strategy: { type: 'Recreate' } })
    await cluster.runUntil(isDone(cluster))
    let mixed = false
    cluster.onChange(() => {
      const images = new Set(cluster.all(pods).map(({ spec }) => spec.containers[0]?.image))
      mixed ||= images.size > 1
    })
    await setImage(cluster, 'web:2')
    expect(await cluster.runUntil(isDone(cluster))).to.equal(true)
    expect(mixed).to.equal(false)
  })

  it('keep the old pods while new ones do not become ready, and recover when rolled back', async () => {
    cluster = await SmallCluster.start({
      behaviour: (_, { image }) => (image === 'bad' ? never : { readyAfter: 1000 }),
    })
    await deploy(cluster, {})
    await cluster.runUntil(isDone(cluster))
    await setImage(cluster, 'bad')
    await cluster.runFor(60_000)
    expect(reasonOf(cluster, 'Progressing')).to.equal('True ReplicaSetUpdated')
    expect(reasonOf(cluster, 'Available')).to.equal('True MinimumReplicasAvailable')
    expect(current(cluster).status).to.include({ updatedReplicas: 1, availableReplicas: 3, unavailableReplicas: 1 })
    await setImage(cluster, 'web:1')
    expect(await cluster.runUntil(isDone(cluster))).to.equal(true)
    expect(reasonOf(cluster, 'Progressing')).to.equal('True NewReplicaSetAvailable')
    const [oldest] = cluster.all(replicaSets).filter(({ spec }) => spec.replicas! > 0)
    expect(oldest!.metadata.annotations).to.include({ 'deployment.kubernetes.io/revision': '3' })
  })

  it('paused: scale, but keep their template until they are resumed', async () => {
    cluster = await SmallCluster.start({ behaviour: slow })
    await deploy(cluster, {})
    await cluster.runUntil(isDone(cluster))
    await change(cluster, { paused: true })
    await setImage(cluster, 'web:2')
    await change(cluster, { replicas: 5 })
    await cluster.runFor(20_000)
    expect(cluster.all(pods).map(({ spec }) => spec.containers[0]?.image)).to.deep.equal(Array(5).fill('web:1'))
    expect(current(cluster).status?.observedGeneration).to.equal(current(cluster).metadata.generation)
    await change(cluster, { paused: false })
    expect(await cluster.runUntil(isDone(cluster))).to.equal(true)
    expect(
      cluster
        .all(pods)
        .filter(isActive)
        .map(({ spec }) => spec.containers[0]?.image),
    ).to.deep.equal(Array(5).fill('web:2'))
  })

  it('say why the server refuses their pods, and go on once it takes them', async () => {
    cluster = await SmallCluster.start()
    const faults = faultsOf(cluster.server)
    faults.add({ fault: { type: 'status', code: 409 }, verb: 'create', resource: 'pods', times: 3 })
    await deploy(cluster, {})
    await cluster.settle()
    expect(reasonOf(cluster, 'ReplicaFailure')).to.equal('True FailedCreate')
    expect(await cluster.runUntil(isDone(cluster))).to.equal(true)
    expect(reasonOf(cluster, 'ReplicaFailure')).to.equal(undefined)
  })

  it('available only after minReadySeconds', async () => {
    cluster = await SmallCluster.start({ behaviour: slow })
    await deploy(cluster, { minReadySeconds: 10 })
    await cluster.runFor(5000)
    expect(current(cluster).status).to.include({ readyReplicas: 3, unavailableReplicas: 3 })
    await cluster.runFor(8000)
    expect(current(cluster).status).to.include({ readyReplicas: 3, availableReplicas: 3 })
  })

  it('deleted in the foreground: gone after their pods', async () => {
    cluster = await SmallCluster.start({ behaviour: slow })
    await deploy(cluster, {})
    await cluster.runUntil(isDone(cluster))
    await cluster.delete(deployments, 'web', { propagationPolicy: 'Foreground' })
    await cluster.runFor(400)
    expect(cluster.all(deployments)).to.have.length(1)
    await cluster.runFor(5000)
    expect([cluster.all(deployments), cluster.all(replicaSets), cluster.all(pods)]).to.deep.equal([[], [], []])
  })

  it('replace a pod that is deleted, and leave the others alone', async () => {
    cluster = await SmallCluster.start()
    await deploy(cluster, {})
    await cluster.runUntil(isDone(cluster))
    const [doomed, ...others] = cluster.all(pods)
    await cluster.delete(pods, doomed!.metadata.name)
    await cluster.runFor(5000)
    const after = cluster.all(pods).map(({ metadata }) => metadata.uid)
    expect(after)
      .to.have.length(3)
      .and.to.include.members(others.map(({ metadata }) => metadata.uid))
  })
})
