import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { Cri } from '../../../src/agent/containers/cri.ts'
import { processFacts } from '../../../src/agent/containers/process-facts.ts'
import type { RuntimeError, RuntimeEvent } from '../../../src/agent/containers/runtime.ts'
import { Cri as KubeletCri } from '../../../src/sandbox/kubelet/cri.ts'
import { until } from '../../cli/child.ts'
import { thrownBy } from '../../enforcer/loader-contract.ts'
import { hostileTexts } from '../../fakes/hostile-json.ts'
import { image, needsContainers, RealNode } from '../../sandbox/kubelet/real-node.ts'
import { type Events, FakeCri } from './fake-cri.ts'

/** Follows a runtime until `end` is called. */
function follow(runtime: Cri): { events: RuntimeEvent[]; end: () => Promise<RuntimeError> } {
  const events: RuntimeEvent[] = []
  const controller = new AbortController()
  const ended = runtime.subscribe((event) => void events.push(event), controller.signal).catch((error) => error)
  return {
    events,
    end: () => {
      controller.abort()
      return ended
    },
  }
}

const lives = (events: readonly RuntimeEvent[], id: string): string[] =>
  events.filter((event) => event.containerID === id).map(({ type }) => type)

describe('containers of a runtime by CRI alone', () => {
  let fake: FakeCri
  let runtime: Cri
  const start = async (events: Events = 'told'): Promise<void> => {
    await fake.start(events)
    runtime = new Cri({ socket: fake.socket })
  }
  beforeEach(() => {
    fake = new FakeCri()
  })
  afterEach(() => {
    runtime.close()
    fake.stop()
  })

  it('have what lines of the log and enforcers want to know', async () => {
    await start()
    // CRI-O also writes a pod's annotations into the spec; they do not identify the container.
    const claims = { 'io.kubernetes.cri.sandbox-name': 'payments-0', 'io.kubernetes.cri.container-name': 'innocent' }
    const spec = { annotations: { two: '2', ...claims }, process: { apparmorProfile: 'varmor-demo-web' } }
    fake.run('a', 12, spec)
    fake.create('b', {})
    const said = (pod: string) => ({
      'io.kubernetes.cri.sandbox-id': pod,
      'io.kubernetes.cri.container-name': 'web',
    })
    expect(await runtime.containers()).to.deep.equal([
      {
        ...{ id: 'a', image: 'nginx:1', name: 'web', labels: { 'io.kubernetes.pod.name': 'web-0' } },
        annotations: { two: '2', ...said('pod-of-a') },
        appArmorProfile: 'varmor-demo-web',
      },
      {
        ...{ id: 'b', image: 'nginx:1', name: 'web', labels: { 'io.kubernetes.pod.name': 'web-0' } },
        annotations: said('pod-of-b'),
        appArmorProfile: undefined,
      },
    ])
    expect(await runtime.tasks()).to.deep.equal([{ containerID: 'a', pid: 12, running: true }])
    expect(await runtime.container('none')).to.equal(undefined)
    const [sandbox] = await runtime.sandboxes('pod-of-a')
    expect(sandbox).to.deep.include({ name: 'web-0', namespace: 'demo', uid: 'u', annotations: { one: '1' } })
  })

  it('are asked for once each, as what does not change is kept, and forgotten when they are gone', async () => {
    await start()
    for (let i = 0; i < 30; i++) fake.run(`c${i}`, 100 + i)
    await Promise.all([runtime.containers(), runtime.tasks()])
    await runtime.tasks()
    const asked = () => fake.calls.filter((name) => name === 'ContainerStatus').length
    expect(asked()).to.equal(30)
    fake.remove('c0')
    await runtime.containers()
    fake.run('c0', 500)
    expect((await runtime.tasks()).find(({ containerID }) => containerID === 'c0')).to.deep.include({ pid: 500 })
    expect(asked()).to.equal(31)
  })

  it('are described by their labels where the runtime says nothing of them that can be read', async () => {
    await start()
    fake.run('a', 1)
    fake.containers.get('a')!.info = '{"pid": 1'
    expect(await runtime.containers()).to.have.length(1)
    expect(await runtime.tasks()).to.deep.equal([])
  })

  it('are all known but for one of which the runtime cannot tell', async () => {
    await start()
    for (const id of ['a', 'b', 'c']) fake.run(id, 1)
    fake.containers.get('a')!.info = 'fails'
    fake.containers.get('b')!.info = '{"pid":"1"}'
    const listed = await runtime.containers()
    expect(listed.map(({ id, unreadable }) => [id, unreadable])).to.deep.equal([
      ['a', 'ContainerStatus: 2 UNKNOWN: its state is broken: UNKNOWN'],
      ['b', 'the runtime reports no process of the container'],
      ['c', undefined],
    ])
    expect((await runtime.tasks()).map(({ containerID }) => containerID)).to.deep.equal(['c'])
    fake.containers.get('a')!.info = '{"pid":7,"runtimeSpec":null}'
    expect((await runtime.containers())[0]).to.not.have.property('unreadable')
  })

  it('are described whatever the runtime says of one of them', async () => {
    await start()
    const spec = { annotations: { two: '2' }, process: { apparmorProfile: 'p' }, linux: { seccomp: {} } }
    await fc.assert(
      fc.asyncProperty(hostileTexts({ pid: 1, sandboxID: 'pod-of-a', runtimeSpec: spec }), async (info) => {
        // A protobuf string is valid UTF-8, and gRPC limits the size of a message.
        fc.pre(Buffer.from(info).toString() === info)
        fake.run('a', 1)
        fake.run('b', 2, spec)
        fake.containers.get('a')!.info = info
        const asked = new Cri({ socket: fake.socket })
        const [containers, tasks] = await Promise.all([asked.containers(), asked.tasks()])
        asked.close()
        expect(containers.map(({ id }) => id)).to.deep.equal(['a', 'b'])
        const [{ annotations, appArmorProfile }] = containers as [(typeof containers)[0]]
        for (const text of Object.values(annotations)) expect(text).to.be.a('string')
        expect(typeof appArmorProfile).to.be.oneOf(['string', 'undefined'])
        expect(tasks).to.deep.include({ containerID: 'b', pid: 2, running: true })
        for (const { pid } of tasks) expect(pid).to.be.within(1, 2 ** 31 - 1)
      }),
      { numRuns: 60 },
    )
  })

  for (const events of ['told', 'ends', 'unknown'] as const)
    it(`are seen to be made, to start, to end and to go by a runtime whose stream of events is ${events}`, async () => {
      await start(events)
      fake.run('before', 1)
      const { events: seen, end } = follow(runtime)
      if (events === 'told') await until(async () => fake.isFollowed)
      else await until(async () => fake.calls.includes('ListContainers'))
      await pause(100)
      fake.create('a')
      await until(async () => lives(seen, 'a').length === 1)
      fake.run('a', 12)
      await until(async () => lives(seen, 'a').length === 2)
      fake.end('a')
      await until(async () => lives(seen, 'a').length === 3)
      fake.remove('a')
      fake.run('b', 13)
      await until(async () => lives(seen, 'b').includes('started'))
      expect(lives(seen, 'a')).to.deep.equal(['created', 'started', 'ended', 'deleted'])
      expect(seen.find(({ type }) => type === 'started')).to.deep.equal({ type: 'started', containerID: 'a', pid: 12 })
      expect(lives(seen, 'before')).to.deep.equal([])
      await end()
    }).timeout(30_000)

  it('are not to be had while it is away, which says so', async () => {
    await start()
    fake.stop()
    expect(await thrownBy(runtime.containers())).to.include({ name: 'RuntimeError', code: 'UNAVAILABLE' })
    expect(await follow(runtime).end()).to.be.instanceOf(Error)
  })
})

/** Socket of a running runtime, such as CRI-O, that has the image; undefined: the test starts a containerd. */
const given = process.env['VARMOR_CRI']

describe(`containers of a real runtime by CRI alone (${given ?? 'containerd'})`, function () {
  this.timeout(300_000)
  let node: RealNode | undefined
  let runtime: Cri
  let kubelet: KubeletCri
  before(async function () {
    if (given === undefined) {
      needsContainers(this)
      node = new RealNode()
      await node.start()
    }
    const socket = given ?? node!.socket
    runtime = new Cri({ socket, deadline: 240_000 })
    kubelet = new KubeletCri(socket)
  })
  after(async () => {
    runtime?.close()
    await node?.dispose()
  })

  it('are seen from their start to their end', async () => {
    const { events, end } = follow(runtime)
    const metadata = { name: 'web-0', namespace: 'demo', uid: randomUUID(), attempt: 0 }
    const logs = mkdtempSync(join(tmpdir(), 'varmor-logs-'))
    const ofNode = { namespaceOptions: { network: 'NODE' } }
    const config = { metadata, labels: { app: 'web' }, linux: { securityContext: ofNode }, logDirectory: logs }
    const pod = await kubelet.runSandbox(config)
    const before = (await runtime.containers()).length
    const labels = { 'io.kubernetes.pod.name': 'web-0', 'io.kubernetes.container.name': 'web' }
    const container = {
      metadata: { name: 'web', attempt: 0 },
      image: { image, userSpecifiedImage: image },
      command: ['sleep', '1000'],
      labels,
    }
    const id = await kubelet.createContainer(pod, { ...container, linux: { securityContext: ofNode } }, config)
    await kubelet.startContainer(id)
    await until(async () => lives(events, id).includes('started'))
    const found = (await runtime.containers()).find((container) => container.id === id)
    expect(found).to.deep.include({ id, name: 'web', labels })
    expect(found!.annotations['io.kubernetes.cri.sandbox-id']).to.equal(pod)
    const task = (await runtime.tasks()).find(({ containerID }) => containerID === id)
    expect(task).to.deep.include({ containerID: id, running: true })
    expect(events.find(({ type }) => type === 'started')).to.deep.include({ pid: task!.pid })
    expect((await processFacts()(task!.pid, id))?.cgroupPath).to.contain(id)
    const [sandbox] = await runtime.sandboxes(pod)
    expect(sandbox).to.include({ name: 'web-0', namespace: 'demo' })
    // CRI-O adds the labels of the kubelet itself.
    expect(sandbox!.labels).to.include({ app: 'web' })
    await kubelet.stopContainer(id, 0)
    await kubelet.removeContainer(id)
    await until(async () => lives(events, id).includes('deleted'))
    expect(lives(events, id)).to.deep.equal(['created', 'started', 'ended', 'deleted'])
    expect(await runtime.containers()).to.have.length(before)
    await kubelet.stopSandbox(pod)
    await kubelet.removeSandbox(pod)
    rmSync(logs, { recursive: true })
    await end()
  })
})
