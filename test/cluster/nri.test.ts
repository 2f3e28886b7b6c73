import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { NriPlugin } from '../../src/agent/nri/nri-plugin.ts'
import type { StartingContainer } from '../../src/agent/nri/starting-container.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { Cri } from '../../src/sandbox/kubelet/cri.ts'
import { containerConfig, sandboxConfig } from '../../src/sandbox/kubelet/pod-requests.ts'
import { containerOf, podOf } from '../sandbox/kubelet/pods.ts'
import { image, needsContainers, RealNode } from '../sandbox/kubelet/real-node.ts'
import { NotAvailable } from './binaries/build.ts'
import { ensureContainerd } from './binaries/containerd.ts'
import { probe } from './command.ts'
import { goIsRecent, neededGo } from './requirements.ts'
import { printSteps } from './steps.ts'
import { eventually } from './wait.ts'

const annotations = { 'container.bpf.security.beta.varmor.org/main': 'localhost/varmor-demo-web' }

/** The container's first action is to check whether it was prepared. */
const poll =
  'if [ -e /out/prepared ]; then echo prepared; else echo unprepared; fi > /out/draft; mv /out/draft /out/seen; exec sleep 1000'

/** Runs containers over CRI, as a kubelet does. */
class Kubelet {
  readonly #node: RealNode
  readonly #cri: Cri
  readonly #sandboxes: string[] = []

  constructor(node: RealNode) {
    this.#node = node
    this.#cri = new Cri(node.socket)
  }

  /** Creates a container that checks whether it was prepared, and a folder that the container shares with the test. */
  async create() {
    const options = { podLogs: this.#node.podLogs, seccompRoot: '', ownNetwork: false }
    const number = this.#sandboxes.length + 1
    const [name, uid] = [`web-${number}`, `uid-${number}`]
    const main = containerOf({ image, command: ['/bin/sh', '-c', poll] })
    const pod = podOf({ containers: [main] }, { name, uid, annotations })
    const out = join(this.#node.folder, 'out', name)
    for (const folder of [out, join(this.#node.podLogs, `demo_${name}_${uid}`, 'main')])
      mkdirSync(folder, { recursive: true })
    const sandbox = sandboxConfig(pod, 0, options)
    const sandboxID = await this.#cri.runSandbox(sandbox)
    this.#sandboxes.push(sandboxID)
    const mounts = [{ containerPath: '/out', hostPath: out }]
    const parts = { attempt: 0, image: await this.#cri.image(image, 'Never', sandbox), environment: new Map(), mounts }
    const config = containerConfig(pod, main, parts, options)
    const id = await this.#cri.createContainer(sandboxID, config, sandbox)
    return {
      ...{ id, name, sandboxID },
      prepare: () => writeFileSync(join(out, 'prepared'), ''),
      hasRun: () => existsSync(join(out, 'seen')),
      seen: () => readFileSync(join(out, 'seen'), 'utf8').trim(),
      start: () => this.#cri.startContainer(id),
      stop: () => this.#cri.stopContainer(id, 0),
      remove: () => this.#cri.removeContainer(id),
    }
  }

  /** Removes all sandboxes, so that no process of the runtime remains. */
  async dispose(): Promise<void> {
    for (const id of this.#sandboxes) await this.#cri.removeSandbox(id)
    this.#cri.close()
  }
}

type Prepare = (container: StartingContainer) => Promise<void> | void

/** A plugin, and the calls that it has received. */
class World {
  prepare: Prepare = () => undefined
  readonly started: StartingContainer[] = []
  readonly gone: string[] = []
  readonly failed: string[] = []
  readonly lost: string[] = []
  readonly registered: string[] = []
  readonly plugin: NriPlugin

  constructor(socket: string, clock: Clock) {
    this.plugin = new NriPlugin({
      ...{ socket, clock, random: Math.random },
      onStart: (container) => {
        this.started.push(container)
        return this.prepare(container)
      },
      onGone: (id) => void this.gone.push(id),
      onFailed: ({ containerID }, error) =>
        void this.failed.push(`${containerID}: ${(error as { code?: string }).code}`),
      onLost: (error) => void this.lost.push((error as { code: string }).code),
      onRegistered: (name, version) => void this.registered.push(`${name} ${version}`),
    })
  }

  async registration(count = 1): Promise<void> {
    await eventually('a registration', async () => this.registered.length >= count, 120_000)
  }
}

describe('NRI of containerd 2', () => {
  let node: RealNode
  let kubelet: Kubelet
  let world: World
  const socketOf = (folder: string): string => join(folder, 'nri.sock')
  // Seconds so long that the slowest machine does not exceed them. The runtime waits at most as long as its caller.
  const patient = 200
  let requestTimeout = patient

  before(async function () {
    needsContainers(this)
    if (!goIsRecent(probe('go', 'env', 'GOVERSION') ?? '', neededGo())) {
      console.log(`      needs Go ${neededGo()} or later, which builds containerd`)
      this.skip()
    }
    let programs = ''
    try {
      programs = await ensureContainerd(printSteps)
    } catch (error) {
      if (!(error instanceof NotAvailable)) throw error
      console.log(`      ${error.message}`)
      this.skip()
    }
    const more = (folder: string): string => `[plugins."io.containerd.nri.v1.nri"]
  socket_path = ${JSON.stringify(socketOf(folder))}
  plugin_request_timeout = "${requestTimeout}s"
  plugin_path = ${JSON.stringify(join(folder, 'nri-plugins'))}
  plugin_config_path = ${JSON.stringify(join(folder, 'nri-configuration'))}
`
    node = new RealNode({ programs, more })
    await node.start()
    kubelet = new Kubelet(node)
  })
  after(async () => {
    await kubelet?.dispose()
    await node?.dispose()
  })

  const begin = async (clock: Clock = systemClock): Promise<void> => {
    world = new World(socketOf(node.folder), clock)
    void world.plugin.start()
    await world.registration()
  }
  afterEach(() => world?.plugin.stop())

  it('lets a container run its first instruction when it is prepared', async () => {
    await begin()
    expect(world.registered[0]).to.match(/^containerd v2\./)
    const container = await kubelet.create()
    const before: unknown[] = []
    world.prepare = async ({ initPid }) => {
      // Long enough for a container that does not wait to run before the check.
      await pause(700)
      const cgroup = readFileSync(`/proc/${initPid}/cgroup`, 'utf8')
      before.push(
        container.hasRun(),
        readFileSync(`/proc/${initPid}/comm`, 'utf8').trim(),
        cgroup.includes(container.id),
      )
      container.prepare()
    }
    await container.start()
    await eventually('the container to run', async () => container.hasRun())
    expect(container.seen()).to.equal('prepared')
    expect(before).to.deep.equal([false, 'runc:[2:INIT]', true])
    expect(world.failed).to.deep.equal([])
    const { id, name, sandboxID } = container
    const { podAnnotations, ...started } = world.started[0]!
    const pod = { podName: name, podNamespace: 'demo', podUID: 'uid-1' }
    expect(started).to.include({ containerID: id, sandboxID, containerName: 'main', ...pod })
    expect(podAnnotations).to.include(annotations)
    await container.stop()
    await container.remove()
    expect(world.gone).to.deep.equal([id, id])
  })

  /** The plugin's timeout is three quarters of the runtime's seconds; the test replaces that timer by `timer`. */
  const waitingFor = (seconds: number, timer: Clock['after']): Clock => {
    const isTimeout = (delay: number): boolean => delay > 500 * seconds && delay <= 750 * seconds
    const choose: Clock['after'] = (delay, done) => (isTimeout(delay) ? timer : systemClock.after)(delay, done)
    return { ...systemClock, after: choose }
  }

  it('lets a container start that could not be prepared in time, and keeps the connection', async () => {
    await begin(waitingFor(patient, (_delay, done) => systemClock.after(100, done)))
    const container = await kubelet.create()
    world.prepare = () => new Promise(() => undefined)
    await container.start()
    await eventually('the container to run', async () => container.hasRun())
    expect(container.seen()).to.equal('unprepared')
    expect(world.failed).to.deep.equal([`${container.id}: LATE`])
    expect([world.lost, world.plugin.registered]).to.deep.equal([[], true])
  })

  it('comes back when containerd closed the connection, as it does when there is no answer in time', async () => {
    await node.killContainerd()
    requestTimeout = 2
    await node.startContainerd()
    // An agent whose timer never fires, so that it does not answer within containerd's timeout.
    await begin(waitingFor(requestTimeout, () => ({ cancel: () => undefined })))
    world.lost.splice(0)
    const container = await kubelet.create()
    const handedOn: StartingContainer[] = []
    world.prepare = (starting) => {
      if (starting.containerID !== container.id || handedOn.push(starting) > 1) return
      return new Promise(() => undefined)
    }
    await container.start()
    await eventually('the container to run', async () => container.hasRun())
    expect(container.seen()).to.equal('unprepared')
    await world.registration(2)
    expect(world.lost).to.deep.equal(['CLOSED'])
    await eventually('the container to be handed on again', async () => handedOn.length === 2)
  })

  it('comes back when containerd was killed, and gets the containers that run', async () => {
    await begin()
    const container = await kubelet.create()
    await container.start()
    const { initPid } = world.started.find(({ containerID }) => containerID === container.id)!
    await node.killContainerd()
    requestTimeout = patient
    await eventually('the loss', async () => world.lost.length > 0)
    expect(world.plugin.registered).to.equal(false)
    world.started.splice(0)
    await node.startContainerd()
    await world.registration(2)
    const again = await eventually('the container to be handed on', async () =>
      world.started.find(({ containerID }) => containerID === container.id),
    )
    expect(again).to.include({ initPid, podName: container.name })
    expect(again.podAnnotations).to.include(annotations)
    const next = await kubelet.create()
    world.prepare = () => next.prepare()
    await next.start()
    await eventually('the next container to run', async () => next.hasRun())
    expect(next.seen()).to.equal('prepared')
  })
})
