import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { SimulatedClock } from '../../../actors/runtime/simulated-clock.ts'
import type { Container, Pod } from '../../../src/sandbox/controllers/objects.ts'
import { CriRuntime } from '../../../src/sandbox/kubelet/cri-runtime.ts'
import { type ContainerExit, ContainerStartError } from '../../../src/sandbox/nodes/pod-runtime.ts'
import { thrownBy } from '../../enforcer/loader-contract.ts'
import { FakeCri } from './fake-cri.ts'
import { containerOf, podOf } from './pods.ts'

const place = { name: 'node', address: '10.0.2.15', podCidr: '' }

describe('the runtime of a kubelet', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-cri-'))
  after(() => rmSync(folder, { recursive: true }))
  let cri: FakeCri
  let runtime: CriRuntime
  let reported: ContainerExit[]
  const refused: string[] = []

  const make = (ownNetwork = false): CriRuntime =>
    new CriRuntime({
      ...{ cri, clock: new SimulatedClock(), environment: {}, ownNetwork, podLogs: folder, seccompRoot: folder },
      volumes: {
        mounts: async () => [],
        refresh: async () => undefined,
        remove: async () => undefined,
      },
      objects: { data: async () => undefined },
      failed: (what, error) => refused.push(`${what}: ${error}`),
    })
  beforeEach(() => {
    cri = new FakeCri()
    runtime = make()
    reported = []
  })

  const observer = { ready: () => undefined, exited: (exit: ContainerExit) => void reported.push(exit) }
  const start = async (pod: Pod, container: Container = pod.spec.containers[0]!) => {
    await runtime.startPod(pod, place)
    const started = await runtime.start(pod, container, observer)
    // The observer is active from the next turn of the event loop on.
    await turn()
    return started
  }
  const idOf = ({ id }: { id: string }): string => id.replace('containerd://', '')

  it('creates a sandbox once, and replaces a dead sandbox and its containers', async () => {
    const pod = podOf()
    expect(await runtime.startPod(pod, place)).to.deep.equal({ podIP: '10.0.2.15' })
    const first = await start(pod)
    expect([...cri.sandboxesById.keys()]).to.have.length(1)
    cri.endSandbox([...cri.sandboxesById.keys()][0]!)
    await runtime.poll()
    expect(reported).to.have.length(1)
    const second = await start(pod)
    expect([...cri.sandboxesById.values()].map(({ config }) => config.metadata.attempt)).to.deep.equal([0, 1])
    expect(second.id).not.to.equal(first.id)
  })

  it('gives a pod the address of its own network, where it has one', async () => {
    runtime = make(true)
    expect(await runtime.startPod(podOf(), place)).to.include({ podIP: '10.9.9.9' })
    const host = podOf({ hostNetwork: true }, { uid: 'u-2' })
    expect(await runtime.startPod(host, place)).to.include({ podIP: '10.0.2.15' })
  })

  it('reports an end with exit code, reason and time, once', async () => {
    const started = await start(podOf())
    cri.end(idOf(started), 7)
    await runtime.poll()
    await runtime.poll()
    const { finished } = cri.containersById.get(idOf(started))!
    expect(reported).to.deep.equal([{ exitCode: 7, reason: 'Error', finishedAt: finished }])
  })

  it('reports a container that somebody has removed', async () => {
    const started = await start(podOf())
    cri.containersById.delete(idOf(started))
    await runtime.poll()
    expect(reported[0]).to.include({ exitCode: 137, reason: 'ContainerStatusUnknown' })
  })

  it('counts attempts over its own restarts, and keeps one dead container of a name for its log', async () => {
    const pod = podOf()
    for (let attempt = 0; attempt < 4; attempt++) {
      const started = await start(pod)
      expect(cri.named('main').map(({ config }) => config.metadata.attempt)).to.deep.equal(
        attempt === 0 ? [0] : [attempt - 1, attempt],
      )
      cri.end(idOf(started), 1)
      await runtime.poll()
      if (attempt === 1) runtime = make()
      if (attempt === 1)
        pod.status = { containerStatuses: [statusWith(started.id)] } as unknown as NonNullable<Pod['status']>
    }
    expect(reported).to.have.length(4)
  })

  it('finds running containers again after its own restart', async () => {
    const pod = podOf()
    const before = await start(pod)
    runtime = make()
    const after = await start(pod)
    expect(after).to.deep.equal(before)
    expect(cri.named('main')).to.have.length(1)
    cri.end(idOf(after), 3)
    await runtime.poll()
    expect(reported).to.have.length(1)
  })

  it('reports after its restart what ended meanwhile, and not what was reported before', async () => {
    const pod = podOf()
    const before = await start(pod)
    cri.end(idOf(before), 3)
    runtime = make()
    expect(await start(pod)).to.deep.equal(before)
    expect(reported).to.deep.include.members([{ exitCode: 3, reason: 'Error', finishedAt: reported[0]!.finishedAt! }])
    const again = podOf({}, {}, { containerStatuses: [statusWith(before.id)] })
    runtime = make()
    expect((await start(again)).id).not.to.equal(before.id)
    expect(cri.named('main').map(({ config }) => config.metadata.attempt)).to.deep.equal([0, 1])
    expect(reported).to.have.length(1)
  })

  it('replaces a container that was created but never started', async () => {
    cri.faults.set('createContainer', 'disk full')
    const pod = podOf()
    expect(await thrownBy(start(pod))).to.include({ reason: 'CreateContainerError', message: 'disk full' })
    await cri.createContainer([...cri.sandboxesById.keys()][0]!, {
      metadata: { name: 'main', attempt: 0 },
      labels: { 'io.kubernetes.pod.uid': 'u-1' },
    } as never)
    await start(pod)
    expect(cri.named('main').map(({ state }) => state)).to.deep.equal(['CONTAINER_RUNNING'])
  })

  it('shows what the runtime says of a start that fails, and counts it', async () => {
    cri.faults.set('startContainer', 'no such file')
    const pod = podOf()
    expect(await thrownBy(start(pod))).to.include({ reason: 'RunContainerError', message: 'no such file' })
    await start(pod)
    expect(cri.named('main').map(({ config }) => config.metadata.attempt)).to.deep.equal([0, 1])
    expect(reported).to.deep.equal([])
  })

  it('says why a sandbox cannot be made', async () => {
    cri.faults.set('runSandbox', 'no pause image')
    const error = await thrownBy(runtime.startPod(podOf(), place))
    expect(error).to.be.instanceOf(ContainerStartError)
    expect(error).to.include({ reason: 'FailedCreatePodSandBox', message: 'no pause image' })
  })

  it('stops a container within its time, and reports the end before that resolves', async () => {
    const pod = podOf()
    await start(pod)
    await runtime.stop(pod, pod.spec.containers[0]!, 5)
    expect(reported).to.have.length(1)
    expect(reported[0]).to.include({ exitCode: 0, reason: 'Completed' })
    await runtime.stopPod(pod)
    expect(cri.sandboxesById.size + cri.containersById.size).to.equal(0)
  })

  it('shows why an image is not there, and what is wrong with a spec', async () => {
    const image = podOf({ containers: [containerOf({ image: 'web:1' })] })
    expect(await thrownBy(start(image))).to.include({ reason: 'ErrImagePull', message: 'failed to pull web:1' })
    const root = podOf({ securityContext: { runAsNonRoot: true } }, { uid: 'u-2' })
    expect(await thrownBy(start(root))).to.include({ reason: 'CreateContainerConfigError' })
  })

  it('reports every end exactly once, whatever happens between, also over its own restarts', async () => {
    const step = fc.constantFrom('start', 'start', 'end', 'look', 'restart', 'sandbox')
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      cri = new FakeCri()
      runtime = make()
      const ends: string[] = []
      const pod = podOf()
      let running: string | undefined
      const begin = async (): Promise<void> => {
        if (running !== undefined) return
        await runtime.startPod(pod, place)
        const { id } = await runtime.start(pod, pod.spec.containers[0]!, {
          ready: () => undefined,
          exited: () => {
            ends.push(id)
            running = undefined
            pod.status = { containerStatuses: [statusWith(id)] } as unknown as NonNullable<Pod['status']>
          },
        })
        running = id
        await turn()
      }
      const ids = new Set<string>()
      for (const one of [...steps, 'restart', 'start', 'end', 'look', 'look'] as const) {
        const current = cri.named('main').find(({ state }) => state === 'CONTAINER_RUNNING')
        if (one === 'start') await begin()
        else if (one === 'look') await runtime.poll()
        else if (one === 'end' && current) cri.end(current.id, 1)
        else if (one === 'sandbox') for (const id of cri.sandboxesById.keys()) cri.endSandbox(id)
        else if (one === 'restart') {
          await runtime.poll()
          runtime = make()
          running = undefined
        }
        for (const { id } of cri.named('main')) ids.add(`containerd://${id}`)
      }
      expect(ends).to.deep.equal([...new Set(ends)])
      expect([...ids].sort()).to.deep.equal([...ends].sort())
    })
    await fc.assert(property, { numRuns: 200 })
  })
})

const statusWith = (containerID: string): object => ({
  name: 'main',
  state: { terminated: { exitCode: 1, reason: 'Error', containerID } },
  lastState: {},
})
