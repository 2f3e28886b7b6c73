import { expect } from 'chai'
import { nodes, type Pod, pods } from '../../../src/sandbox/controllers/objects.ts'
import { conditionOf } from '../../../src/sandbox/controllers/pods.ts'
import { FakeNodes } from '../../../src/sandbox/nodes/fake-nodes.ts'
import { SmallCluster, type SmallClusterOptions } from '../controllers/harness.ts'
import { faultsOf } from '../faults.ts'

const pod = (cluster: SmallCluster, spec: object, metadata: object = {}): Promise<Pod> =>
  cluster.create(pods, {
    metadata: { name: 'p', ...metadata },
    spec: { containers: [{ name: 'main', image: 'web:1' }], ...spec },
  })
const found = (cluster: SmallCluster): Pod => cluster.one(pods, 'p')!
const waitingFor = (cluster: SmallCluster): string | undefined =>
  found(cluster).status?.containerStatuses?.[0]?.state.waiting?.reason

describe('nodes of the sandbox', () => {
  let cluster: SmallCluster
  const start = async (options: SmallClusterOptions = {}): Promise<void> => {
    cluster = await SmallCluster.start({ nodes: 1, ...options })
  }

  afterEach(() => {
    expect(cluster.problems).to.deep.equal([])
    cluster.stop()
  })

  it('run init containers in order, sidecars beside them, and then the others', async () => {
    const started: string[] = []
    await start({
      behaviour: (_, { name }) => {
        started.push(name)
        return name.startsWith('init') ? { exitAfter: 1000 } : { readyAfter: 500 }
      },
    })
    const initContainers = [
      { name: 'init-a', image: 'i:1' },
      { name: 'side', image: 's:1', restartPolicy: 'Always' },
      { name: 'init-b', image: 'i:1' },
    ]
    await pod(cluster, { initContainers })
    await cluster.runFor(500)
    expect(found(cluster).status?.phase).to.equal('Pending')
    expect(conditionOf(found(cluster).status?.conditions, 'Initialized')).to.include({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'waits for containers: [init-a side init-b]',
    })
    expect(waitingFor(cluster)).to.equal('PodInitializing')
    await cluster.runFor(10_000)
    expect(started).to.deep.equal(['init-a', 'side', 'init-b', 'main'])
    const { status } = found(cluster)
    expect(status?.phase).to.equal('Running')
    expect(conditionOf(status?.conditions, 'Ready')?.status).to.equal('True')
    expect(
      status?.initContainerStatuses?.map(({ name, ready, state }) => [name, ready, Object.keys(state)[0]]),
    ).to.deep.equal([
      ['init-a', true, 'terminated'],
      ['side', true, 'running'],
      ['init-b', true, 'terminated'],
    ])
  })

  it('start a crashed container again: at once, then after 10, 20, 40 seconds', async () => {
    const times: number[] = []
    await start({
      behaviour: (_, __, count) => {
        times.push(cluster.clock.now())
        return count < 4 ? { exitAfter: 100, exitCode: 3 } : {}
      },
    })
    await pod(cluster, {})
    await cluster.runFor(5000)
    expect(waitingFor(cluster)).to.equal('CrashLoopBackOff')
    expect(found(cluster).status?.containerStatuses?.[0]).to.deep.include({ restartCount: 1, ready: false })
    expect(found(cluster).status?.phase).to.equal('Running')
    expect(conditionOf(found(cluster).status?.conditions, 'Ready')).to.include({
      status: 'False',
      reason: 'ContainersNotReady',
    })
    await cluster.runFor(120_000)
    const pauses = times.slice(1).map((time, index) => Math.round((time - times[index]! - 100) / 1000))
    expect(pauses).to.deep.equal([0, 10, 20, 40])
    expect(found(cluster).status?.containerStatuses?.[0]).to.deep.include({ restartCount: 4, ready: true })
  })

  it('show why a container does not start, and try again', async () => {
    const startError = { reason: 'ErrImagePull', message: 'no such image' }
    let broken = true
    await start({ behaviour: () => (broken ? { startError } : {}) })
    await pod(cluster, {})
    await cluster.runFor(1000)
    expect(found(cluster).status?.phase).to.equal('Pending')
    expect(waitingFor(cluster)).to.equal('ErrImagePull')
    broken = false
    await cluster.runFor(30_000)
    expect(found(cluster).status?.phase).to.equal('Running')
  })

  const graces = [
    { title: 'as soon as its processes have ended', stopAfter: 3000, grace: 30, gone: 3000 },
    { title: 'by force after its grace', stopAfter: 60_000, grace: 5, gone: 5000 },
  ]
  for (const { title, stopAfter, grace, gone } of graces)
    it(`remove a deleted pod ${title}`, async () => {
      await start({ behaviour: () => ({ stopAfter }) })
      const made = await pod(cluster, { terminationGracePeriodSeconds: grace })
      await cluster.runFor(1000)
      await cluster.delete(pods, 'p')
      await cluster.runFor(gone - 100)
      expect(found(cluster).metadata.deletionTimestamp).to.be.a('string')
      expect(cluster.runtime.isRunning(made, 'main')).to.equal(true)
      await cluster.runFor(200)
      expect(cluster.all(pods)).to.deep.equal([])
      expect(cluster.runtime.isRunning(made, 'main')).to.equal(false)
    })

  it('restarted: find their containers again and count nothing twice', async () => {
    let starts = 0
    await start({ nodes: 2, behaviour: () => void starts++ })
    const made = await pod(cluster, {})
    await cluster.runFor(1000)
    const before = found(cluster).status
    await cluster.startNodes()
    await cluster.runFor(5000)
    expect(found(cluster).status?.containerStatuses).to.deep.equal(before?.containerStatuses)
    expect(starts).to.equal(1)
    await cluster.runtime.stopPod(made)
    await cluster.startNodes()
    await cluster.runFor(5000)
    expect(found(cluster).status?.containerStatuses?.[0]).to.deep.include({ restartCount: 1, ready: true })
  })

  const localhost = { type: 'Localhost', localhostProfile: 'varmor-a' }
  const profiles: { title: string; spec: object; annotations?: Record<string, string>; expected: object }[] = [
    { title: 'nothing', spec: {}, expected: { appArmor: '', seccomp: '', bpf: '' } },
    {
      title: 'the profile of the pod',
      spec: { securityContext: { appArmorProfile: localhost, seccompProfile: { type: 'RuntimeDefault' } } },
      expected: { appArmor: 'localhost/varmor-a', seccomp: 'runtime/default' },
    },
    {
      title: 'the profile of the container before that of the pod',
      spec: {
        securityContext: { appArmorProfile: localhost },
        containers: [{ name: 'main', image: 'w', securityContext: { appArmorProfile: { type: 'Unconfined' } } }],
      },
      expected: { appArmor: 'unconfined' },
    },
    {
      title: 'the annotations',
      spec: {},
      annotations: { 'container.bpf.security.beta.varmor.org/main': 'localhost/varmor-b' },
      expected: { bpf: 'localhost/varmor-b' },
    },
    {
      title: 'no seccomp profile for a privileged container',
      spec: {
        securityContext: { seccompProfile: localhost },
        containers: [{ name: 'main', image: 'w', securityContext: { privileged: true } }],
      },
      expected: { seccomp: '' },
    },
  ]
  for (const { title, spec, annotations = {}, expected } of profiles)
    it(`know what confines a container: ${title}`, async () => {
      await start()
      const made = await pod(cluster, spec, { annotations })
      await cluster.runFor(1000)
      expect(cluster.runtime.confinement(made, 'main')).to.include(expected)
    })

  it('that fall silent are called lost, and their pods go elsewhere after five minutes', async () => {
    await start({ nodes: 1, leases: true })
    const made = await pod(cluster, {})
    await cluster.runFor(5000)
    const { nodeName = '' } = found(cluster).spec
    cluster.nodes.stop()
    const { client, clock, random, runtime } = cluster
    const failed = (what: string): unknown => cluster.problems.push(what)
    const others = await FakeNodes.start({ client, clock, random, runtime, failed, nodes: [{ name: 'other' }] })
    await cluster.runFor(65_000)
    const lost = cluster.one(nodes, nodeName)!
    expect(conditionOf(lost.status?.conditions, 'Ready')?.status).to.equal('Unknown')
    expect(lost.spec.taints?.map(({ key, effect }) => `${key}:${effect}`)).to.deep.equal([
      'node.kubernetes.io/not-ready:NoSchedule',
    ])
    expect(conditionOf(found(cluster).status?.conditions, 'Ready')?.status).to.equal('False')
    expect(found(cluster).metadata.deletionTimestamp).to.equal(undefined)
    await cluster.runFor(300_000)
    expect(found(cluster).metadata).to.include({ uid: made.metadata.uid }).and.to.have.property('deletionTimestamp')
    expect(conditionOf(cluster.one(nodes, 'other')!.status?.conditions, 'Ready')?.status).to.equal('True')
    others.stop()
  })

  it('register although the server refuses at first', async () => {
    await start({ nodes: 2 })
    for (const { metadata } of cluster.all(nodes)) await cluster.delete(nodes, metadata.name)
    faultsOf(cluster.server).add({ fault: { type: 'status', code: 409 }, verb: 'create', resource: 'nodes', times: 3 })
    const started = cluster.startNodes()
    await cluster.runFor(10_000)
    await started
    expect(cluster.all(nodes).map(({ spec }) => spec.taints)).to.deep.equal([undefined, undefined])
    expect(cluster.problems.splice(0)).to.have.length(3)
  })

  it('that are removed take their pods with them', async () => {
    await start({ nodes: 2 })
    await pod(cluster, {})
    await cluster.runFor(1000)
    const { nodeName = '' } = found(cluster).spec
    await cluster.delete(nodes, nodeName)
    await cluster.runFor(30_000)
    expect(cluster.all(pods)).to.have.length(1)
    await cluster.runFor(15_000)
    expect(cluster.all(pods)).to.deep.equal([])
  })
})
