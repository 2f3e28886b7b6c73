import { expect } from 'chai'
import fc from 'fast-check'
import { Simulation } from '../../../actors/runtime/index.ts'
import { ContainerWatch } from '../../../src/agent/containers/container-watch.ts'
import { describeContainer } from '../../../src/agent/containers/describe-container.ts'
import {
  type ContainerChange,
  type ContainerRuntime,
  type ExecStarted,
  type RuntimeContainer,
  RuntimeError,
  type RuntimeEvent,
  type Sandbox,
} from '../../../src/agent/containers/runtime.ts'
import { made, sandbox } from './made-containers.ts'

/** A runtime under simulated time, which may lose events and disappear. */
class FakeRuntime implements ContainerRuntime {
  readonly running = new Map<string, number>()
  readonly calls: string[] = []
  down = false
  /** Duration of each call in milliseconds. */
  latency = 0
  /** Ids of containers that the runtime lists but cannot describe. */
  readonly unreadable = new Set<string>()
  silent = false
  #subscribers = new Set<{ sink: (event: RuntimeEvent) => void; fail: (error: Error) => void }>()
  #pid = 100
  readonly #simulation: Simulation

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  run(id: string): void {
    this.running.set(id, ++this.#pid)
    this.#publish({ type: 'started', containerID: id, pid: this.#pid })
  }

  end(id: string): void {
    if (this.running.delete(id)) this.#publish({ type: 'ended', containerID: id })
  }

  exec(id: string): void {
    this.#publish({ type: 'exec-started', containerID: id, pid: ++this.#pid, at: 1_700_000_000 })
  }

  goDown(): void {
    this.down = true
    for (const { fail } of this.#subscribers) fail(new RuntimeError('UNAVAILABLE', 'the event stream'))
  }

  async subscribe(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never> {
    await this.#call('subscribe')
    return new Promise<never>((_resolve, fail) => {
      const one = { sink, fail }
      this.#subscribers.add(one)
      const end = (): void => {
        this.#subscribers.delete(one)
        fail(new RuntimeError('CANCELLED', 'the event stream'))
      }
      if (signal.aborted) end()
      else signal.addEventListener('abort', end)
    })
  }

  async containers(): Promise<RuntimeContainer[]> {
    const found = [...this.running.keys()].map((id) => ({
      ...made(id),
      ...(this.unreadable.has(id) && { unreadable: 'it is broken' }),
    }))
    await this.#call('containers')
    return found
  }

  async container(id: string): Promise<RuntimeContainer | undefined> {
    await this.#call('container')
    return this.running.has(id) ? made(id) : undefined
  }

  async tasks() {
    const readable = [...this.running].filter(([id]) => !this.unreadable.has(id))
    const found = readable.map(([containerID, pid]) => ({ containerID, pid, running: true }))
    await this.#call('tasks')
    return found
  }

  async sandboxes(): Promise<Sandbox[]> {
    await this.#call('sandboxes')
    return [sandbox]
  }

  #publish(event: RuntimeEvent): void {
    if (!this.silent) for (const { sink } of this.#subscribers) sink(event)
  }

  async #call(name: string): Promise<void> {
    this.calls.push(name)
    const { clock, random } = this.#simulation
    if (this.latency > 0) await new Promise<void>((done) => void clock.after(this.latency * random(), done))
    if (this.down) throw new RuntimeError('UNAVAILABLE', name)
  }
}

class World {
  readonly simulation: Simulation
  readonly runtime: FakeRuntime
  readonly watch: ContainerWatch
  readonly changes: ContainerChange[] = []
  readonly execs: ExecStarted[] = []
  readonly delays: number[] = []
  /** Errors of the next reads of /proc, in order. */
  readonly factErrors: Error[] = []
  /** Containers whose processes cannot be read, with the error. */
  readonly hidden = new Map<string, Error>()
  readonly skipped: [string, unknown][] = []
  lists = 0
  readonly running: Promise<void>
  /** Labels of the pods; undefined: as the runtime reports them. */
  labels: Record<string, string> | undefined

  constructor(seed = 1, arrange: (runtime: FakeRuntime) => void = () => undefined, labels?: object) {
    this.labels = labels as Record<string, string> | undefined
    this.simulation = new Simulation({ seed })
    const { clock, random } = this.simulation
    this.runtime = new FakeRuntime(this.simulation)
    arrange(this.runtime)
    this.watch = new ContainerWatch({
      runtime: this.runtime,
      facts: async (pid, id) => {
        const error = this.factErrors.shift() ?? this.hidden.get(id)
        if (error !== undefined) throw error
        return this.runtime.running.get(id) === pid ? { mntNsID: pid * 10 } : undefined
      },
      onChange: (changes) => this.changes.push(...changes),
      ...(this.labels !== undefined && {
        podOf: (_container: RuntimeContainer, pod: Sandbox | undefined) => ({ ...pod!, labels: this.labels! }),
      }),
      onExec: (exec) => this.execs.push(exec),
      onLost: (_error, delay) => this.delays.push(delay),
      onSkipped: (containerID, error) => this.skipped.push([containerID, error]),
      onListed: () => this.lists++,
      clock,
      random,
    })
    this.running = this.watch.start()
  }

  get known(): [string, number][] {
    return Array.from(this.watch.containers.values(), ({ containerID, initPid }): [string, number] => [
      containerID,
      initPid,
    ]).sort()
  }

  get truth(): [string, number][] {
    return [...this.runtime.running].sort()
  }

  async stop(): Promise<void> {
    const stopped = this.watch.stop()
    await this.simulation.runFor(60_000)
    await stopped
    await this.running
    expect(this.simulation.clock.timers).to.equal(0)
  }
}

describe('the containers of a node', () => {
  let world: World
  afterEach(() => world.stop())

  it('are known from the start, with pod, annotations and the policy’s profile', async () => {
    world = new World(1, (runtime) => runtime.run('c1'))
    expect(world.watch.profiles).to.equal(undefined)
    await world.simulation.runFor(1)
    expect(world.watch.containers.get('c1')).to.deep.include({
      podName: 'pod',
      podNamespace: 'demo',
      podUID: 'u',
      containerName: 'web',
      profileName: 'varmor-demo-web',
      mntNsID: 1010,
      podLabels: { app: 'web' },
    })
    expect(world.watch.profiles).to.deep.equal(new Set(['varmor-demo-web']))
  })

  it('are described again when their pods change, as soon as the runtime answers', async () => {
    world = new World(1, (runtime) => runtime.run('c1'), { app: 'one' })
    await world.simulation.runFor(10_000)
    expect(world.changes).to.have.length(1)
    world.labels = { app: 'two' }
    world.runtime.down = true
    world.watch.describeAgain()
    await world.simulation.runFor(1)
    world.runtime.down = false
    await world.simulation.runFor(20_000)
    expect(world.changes).to.have.length(2)
    expect(world.watch.containers.get('c1')?.podLabels).to.deep.equal({ app: 'two' })
  })

  it('make their profiles known also while they are between two starts: the pod names them', async () => {
    world = new World()
    await world.simulation.runFor(1)
    expect(world.watch.containers.size).to.equal(0)
    expect(world.watch.profiles).to.deep.equal(new Set(['varmor-demo-web']))
  })

  const refused = (code: string): Error => Object.assign(new Error(`${code}: open`), { code })

  for (const code of ['EPERM', 'EIO', 'EMFILE', 'ENOMEM'])
    it(`are looked into again after that failed with ${code}, and it is said once`, async () => {
      const error = refused(code)
      world = new World(1, (runtime) => runtime.run('c1'))
      world.factErrors.push(error)
      await world.simulation.runFor(5_000)
      expect(world.known).to.deep.equal(world.truth)
      const bug = new TypeError('a bug')
      world.factErrors.push(bug)
      world.runtime.run('c2')
      await world.simulation.runFor(5_000)
      expect(world.known).to.deep.equal(world.truth)
      expect(world.skipped).to.deep.equal([
        ['c1', error],
        ['c2', bug],
      ])
      expect(world.watch.restarts).to.equal(0)
    })

  it('are known and followed although one of them cannot be looked into, which is tried again', async () => {
    const error = refused('EPERM')
    world = new World(1, (runtime) => {
      for (const id of ['c1', 'c2', 'c3']) runtime.run(id)
    })
    world.hidden.set('c2', error).set('c5', error)
    const others = () => world.truth.filter(([id]) => !world.hidden.has(id))
    await world.simulation.runFor(1)
    expect(world.known).to.deep.equal(others())
    for (const id of ['c4', 'c5']) world.runtime.run(id)
    await world.simulation.settle()
    expect(world.known).to.deep.equal(others())
    const asked = world.runtime.calls.length
    await world.simulation.runFor(120_000)
    expect(world.runtime.calls.length - asked, 'with growing pauses').to.be.within(3 * 10, 3 * 40)
    expect(world.runtime.calls.filter((call) => call === 'subscribe')).to.have.length(1)
    expect(world.skipped, 'once each').to.deep.equal([
      ['c2', error],
      ['c5', error],
    ])
    expect([world.watch.listed, world.watch.profiles, world.lists], 'not all are known').to.deep.equal([
      ...[false, undefined, 0],
    ])
    world.runtime.end('c5')
    world.hidden.clear()
    await world.simulation.runFor(10_000)
    expect(world.known).to.deep.equal(world.truth)
    expect(world.watch.listed).to.equal(true)
    expect([world.lists, world.watch.restarts]).to.deep.equal([1, 0])
  })

  it('are known and followed although the runtime cannot tell of one of them, which keeps them from being all', async () => {
    world = new World(1, (runtime) => {
      for (const id of ['c1', 'c2']) runtime.run(id)
      runtime.unreadable.add('c1')
    })
    await world.simulation.runFor(60_000)
    expect(world.known.map(([id]) => id)).to.deep.equal(['c2'])
    expect(
      world.skipped.map(([id]) => id),
      'once',
    ).to.deep.equal(['c1'])
    expect([world.watch.listed, world.watch.profiles, world.watch.restarts]).to.deep.equal([false, undefined, 0])
    world.runtime.unreadable.clear()
    await world.simulation.runFor(30_000)
    expect(world.known).to.deep.equal(world.truth)
    expect(world.watch.listed).to.equal(true)
  })

  it('that cannot be looked into and are gone do not keep the others from being all', async () => {
    world = new World(1, (runtime) => runtime.run('c1'))
    world.hidden.set('c1', refused('EPERM'))
    await world.simulation.runFor(10_000)
    world.runtime.silent = true
    world.runtime.end('c1')
    await world.simulation.runFor(10_000)
    expect([world.watch.listed, world.known]).to.deep.equal([true, []])
  })

  it('are described again even if the first try fails', async () => {
    world = new World(1, (runtime) => runtime.run('c1'), { app: 'one' })
    await world.simulation.runFor(10_000)
    world.labels = { app: 'two' }
    world.factErrors.push(refused('EIO'))
    world.watch.describeAgain()
    await world.simulation.runFor(1)
    expect(world.watch.containers.get('c1')?.podLabels).to.deep.equal({ app: 'one' })
    await world.simulation.runFor(1_000)
    expect(world.watch.containers.get('c1')?.podLabels).to.deep.equal({ app: 'two' })
  })

  it('come and go with events, at once, without another list', async () => {
    world = new World()
    await world.simulation.runFor(10_000)
    const lists = world.runtime.calls.filter((call) => call === 'tasks').length
    world.runtime.run('c1')
    await world.simulation.settle()
    expect(world.known).to.deep.equal(world.truth)
    world.runtime.end('c1')
    await world.simulation.settle()
    expect(world.known).to.deep.equal([])
    expect(world.runtime.calls.filter((call) => call === 'tasks')).to.have.length(lists)
    expect(world.changes.map(({ type }) => type)).to.deep.equal(['started', 'ended'])
  })

  it('report processes that are put into them, at once, and stay as they are', async () => {
    world = new World(1, (runtime) => runtime.run('c1'))
    await world.simulation.runFor(10_000)
    world.runtime.exec('c1')
    await world.simulation.settle()
    expect(world.execs).to.deep.equal([{ type: 'exec-started', containerID: 'c1', pid: 102, at: 1_700_000_000 }])
    expect(world.known).to.deep.equal([['c1', 101]])
    expect(world.changes).to.have.length(1)
  })

  it('that come and go while a list is under way are not undone by it', async () => {
    world = new World()
    world.runtime.run('c1')
    await world.simulation.runFor(10_000)
    world.runtime.calls.length = 0
    world.runtime.latency = 500
    await world.simulation.runUntil(() => world.runtime.calls.includes('tasks'))
    world.runtime.end('c1')
    world.runtime.latency = 0
    world.runtime.run('c2')
    await world.simulation.runFor(5_000)
    expect(world.known).to.deep.equal(world.truth)
    expect(world.changes.map(({ type }) => type)).to.deep.equal(['started', 'ended', 'started'])
  })

  it('that start around the first list are found by the second', async () => {
    world = new World(1, (runtime) => {
      runtime.silent = true
    })
    await world.simulation.runFor(10)
    world.runtime.run('c1')
    await world.simulation.runFor(2_500)
    expect(world.known).to.deep.equal(world.truth)
  })

  it('of which events were lost are found within a minute', async () => {
    world = new World()
    await world.simulation.runFor(10_000)
    world.runtime.silent = true
    world.runtime.run('c1')
    await world.simulation.runFor(61_000)
    expect(world.known).to.deep.equal(world.truth)
  })

  it('stay known while the runtime is away, which is asked with growing pauses', async () => {
    world = new World()
    world.runtime.run('c1')
    await world.simulation.runFor(10_000)
    world.runtime.goDown()
    await world.simulation.runFor(120_000)
    expect(world.known).to.deep.equal(world.truth)
    expect(world.delays.length).to.be.within(10, 25)
    world.runtime.end('c1')
    world.runtime.run('c2')
    world.runtime.down = false
    await world.simulation.runFor(11_000)
    expect(world.known).to.deep.equal(world.truth)
  })

  it('are in the end what the runtime has, whatever it does and however long it takes', async () => {
    world = new World()
    const step = fc.record({
      kind: fc.constantFrom('run', 'run', 'end', 'end', 'hide', 'show', 'down', 'up', 'silent', 'wait', 'wait'),
      who: fc.nat(3),
    })
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.nat(),
      fc.nat(400),
      async (steps, seed, latency) => {
        const run = new World(seed, (runtime) => {
          runtime.latency = latency
        })
        for (const { kind, who } of steps) {
          if (kind === 'run') {
            run.runtime.end(`c${who}`)
            run.runtime.run(`c${who}`)
          } else if (kind === 'end') run.runtime.end(`c${who}`)
          else if (kind === 'hide') run.hidden.set(`c${who}`, refused('EPERM'))
          else if (kind === 'show') run.hidden.delete(`c${who}`)
          else if (kind === 'down') run.runtime.goDown()
          else if (kind === 'silent') run.runtime.silent = who > 1
          else if (kind === 'up') run.runtime.down = false
          else await run.simulation.runFor(who * 150)
        }
        run.runtime.down = false
        run.hidden.clear()
        await run.simulation.runFor(140_000)
        expect(run.watch.listed).to.equal(true)
        expect(run.known).to.deep.equal(run.truth)
        // A follower of the changes has the same containers.
        const followed = new Map<string, number>()
        for (const change of run.changes)
          if (change.type === 'started') followed.set(change.container.containerID, change.container.initPid)
          else followed.delete(change.containerID)
        expect([...followed].sort()).to.deep.equal(run.truth)
        await run.stop()
      },
    )
    await fc.assert(property, { numRuns: 150 })
  })
})

describe('the profile of a container', () => {
  const rows: [title: string, annotations: Record<string, string>, appArmor: string, profile: string][] = [
    ['nothing', {}, '', ''],
    ['the BPF annotation', { 'container.bpf.security.beta.varmor.org/web': 'localhost/varmor-a' }, '', 'varmor-a'],
    [
      'Kubernetes’ AppArmor annotation',
      { 'container.apparmor.security.beta.kubernetes.io/web': 'localhost/varmor-b' },
      '',
      'varmor-b',
    ],
    [
      'an annotation of another container',
      { 'container.bpf.security.beta.varmor.org/db': 'localhost/varmor-a' },
      '',
      '',
    ],
    [
      'a profile that is not ours',
      { 'container.apparmor.security.beta.kubernetes.io/web': 'localhost/own' },
      'own',
      '',
    ],
    [
      'opting out of one enforcer',
      {
        'container.bpf.security.beta.varmor.org/web': 'unconfined',
        'container.seccomp.security.beta.varmor.org/web': 'localhost/varmor-c',
      },
      '',
      'varmor-c',
    ],
    ['only the field of the pod', {}, 'varmor-d', 'varmor-d'],
  ]
  for (const [title, annotations, appArmorProfile, profile] of rows)
    it(`is ${profile || 'none'} by ${title}`, () => {
      const described = describeContainer(
        made('c1', { appArmorProfile }),
        7,
        { mntNsID: 1 },
        { ...sandbox, annotations },
      )
      expect(described.profileName).to.equal(profile)
    })

  const claims = {
    'io.cri-containerd.kind': 'container',
    'io.kubernetes.container.name': 'innocent',
    'io.kubernetes.pod.name': 'payments-0',
    'io.kubernetes.pod.namespace': 'bank',
    'io.kubernetes.pod.uid': 'u-1',
  }
  const ofDocker = { ...sandbox, id: '', name: '', namespace: 'moby', uid: '', annotations: {} }
  const said = { 'io.kubernetes.cri.sandbox-id': 's1' }
  const identities: { title: string; of: Parameters<typeof describeContainer>[0]; pod?: Sandbox; is: object }[] = [
    {
      title: 'by Docker’s name, whatever the image says',
      of: made('c1', { name: 'evil', namespace: 'moby', labels: claims, annotations: {} }),
      pod: ofDocker,
      is: { containerName: 'evil', podName: '', podNamespace: 'moby', podUID: '', sandboxID: '' },
    },
    {
      title: 'by Docker’s name, where the spec claims to be of CRI',
      of: made('c1', { name: 'evil', namespace: 'moby', labels: claims, annotations: said }),
      pod: ofDocker,
      is: { containerName: 'evil', podName: '', podNamespace: 'moby', podUID: '', sandboxID: '' },
    },
    {
      title: 'by the runtime’s name in the namespace of pods, where CRI has not made it',
      of: made('c1', { name: 'evil', namespace: 'k8s.io', labels: claims, annotations: {} }),
      pod: { ...ofDocker, namespace: 'k8s.io' },
      is: { containerName: 'evil', podName: '', podNamespace: 'k8s.io', podUID: '', sandboxID: '' },
    },
    {
      title: 'by what CRI says, and not by labels that an image has where the client of CRI gives none',
      of: made('c1', { labels: claims, annotations: { ...said, 'io.kubernetes.cri.container-name': 'web' } }),
      pod: sandbox,
      is: { containerName: 'web', podName: 'pod', podNamespace: 'demo', podUID: 'u' },
    },
    {
      title: 'by the kubelet’s labels, where a CRI of before says no more',
      of: made('c1', { labels: claims, annotations: said }),
      is: { containerName: 'innocent', podName: 'payments-0', podNamespace: 'bank', podUID: 'u-1' },
    },
  ]
  for (const { title, of, pod, is } of identities)
    it(`is known ${title}`, () => {
      expect(describeContainer(of, 7, { mntNsID: 1 }, pod)).to.deep.include(is)
    })

  it('and its pod are known from labels and spec alone, where CRI has no sandbox', () => {
    const container = made('c1', {
      labels: {},
      annotations: {
        'io.kubernetes.cri.sandbox-id': 's1',
        'io.kubernetes.cri.container-name': 'web',
        'io.kubernetes.cri.sandbox-name': 'p',
        'io.kubernetes.cri.sandbox-namespace': 'n',
        'io.kubernetes.cri.sandbox-uid': 'u',
      },
    })
    expect(describeContainer(container, 7, { mntNsID: 1, cgroupID: 5n }, undefined)).to.deep.include({
      containerName: 'web',
      podName: 'p',
      podNamespace: 'n',
      podUID: 'u',
      cgroupID: 5n,
    })
  })
})
