import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { NriError } from '../../../src/agent/nri/nri-error.ts'
import { NriPlugin } from '../../../src/agent/nri/nri-plugin.ts'
import type { StartingContainer } from '../../../src/agent/nri/starting-container.ts'
import { ManualClock } from '../../audit/manual-clock.ts'
import { eventually } from '../../cluster/wait.ts'
import { container, FakeNriRuntime, type PluginSeen, pod } from './fake-runtime.ts'

type Prepare = (container: StartingContainer) => Promise<void> | void

class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'varmor-nri-'))
  readonly socket = join(this.folder, 'nri.sock')
  readonly runtime = new FakeNriRuntime(this.socket)
  readonly clock = new ManualClock()
  readonly started: StartingContainer[] = []
  readonly gone: string[] = []
  readonly failed: string[] = []
  readonly lost: { code: string; message: string; delay: number }[] = []
  readonly registered: string[] = []
  prepare: Prepare = () => undefined
  readonly plugin = new NriPlugin({
    socket: this.socket,
    onStart: (container) => {
      this.started.push(container)
      return this.prepare(container)
    },
    onGone: (id) => void this.gone.push(id),
    onFailed: ({ containerID }, error) =>
      void this.failed.push(`${containerID}: ${error instanceof NriError ? error.code : (error as Error).message}`),
    onLost: (error, delay) => {
      const { code, message } = error as NriError
      this.lost.push({ code, message, delay })
    },
    onRegistered: (name, version) => void this.registered.push(`${name} ${version}`),
    clock: this.clock,
    random: () => 1,
  })

  /** Waits until the plugin has registered `count` times. */
  async registration(count = 1): Promise<PluginSeen> {
    await eventually('a registration', async () => this.registered.length >= count, undefined, 1)
    return this.runtime.last
  }

  async lostAgain(count = 1): Promise<{ code: string; message: string; delay: number }> {
    await eventually('a lost connection', async () => this.lost.length >= count, undefined, 1)
    return this.lost[count - 1]!
  }

  async begin(): Promise<PluginSeen> {
    await this.runtime.listen()
    void this.plugin.start()
    return this.registration()
  }

  /** Starts a container whose preparation lasts until `end`. Resolves when the plugin has no other pending work. */
  async starting(start: (plugin: PluginSeen) => Promise<unknown>) {
    const seen = await this.begin()
    let end: () => void = () => undefined
    this.prepare = () =>
      new Promise<void>((resolve) => {
        end = resolve
      })
    let answered = false
    const answer = start(seen).then(() => {
      answered = true
    })
    await eventually('the preparation to begin', async () => this.started.length > 0, undefined, 1)
    /** Tells whether the start was answered before a request that is sent now. */
    const isAnswered = async (): Promise<boolean> => {
      await seen.call('StopContainer', { pod, container: container('other') })
      return answered
    }
    return { answer, isAnswered, end: () => end() }
  }

  async dispose(): Promise<void> {
    await this.plugin.stop()
    await this.runtime.close()
    rmSync(this.folder, { recursive: true })
  }
}

describe('the NRI plugin', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.dispose())

  it('registers, and asks for the start, the end and the removal of containers', async () => {
    const seen = await world.begin()
    expect(seen.registered).to.include({ pluginName: 'varmor', pluginIdx: '90' })
    expect(seen.events).to.equal((1 << 5) | (1 << 9) | (1 << 10))
    expect(world.registered).to.deep.equal(['containerd v2.4.2'])
    expect(world.plugin.registered).to.equal(true)
  })

  const ways: { what: string; start: (plugin: PluginSeen) => Promise<unknown> }[] = [
    { what: 'StartContainer', start: (plugin) => plugin.startContainer('a', { pid: 7 }) },
    { what: 'the state change of an NRI before 0.12', start: (plugin) => plugin.stateChange('START_CONTAINER', 'a') },
  ]
  for (const { what, start } of ways)
    it(`answers ${what} when the container is prepared`, async () => {
      const { answer, isAnswered, end } = await world.starting(start)
      expect(await isAnswered()).to.equal(false)
      end()
      await answer
      expect(world.failed).to.deep.equal([])
      expect(world.clock.waiting).to.equal(0)
    })

  it('says of a container what NRI says', async () => {
    const seen = await world.begin()
    await seen.startContainer('a', { pid: 7 })
    expect(world.started).to.deep.equal([
      {
        containerID: 'a',
        containerName: 'c',
        sandboxID: 'sandbox-1',
        podName: 'web',
        podNamespace: 'demo',
        podUID: 'uid-1',
        podLabels: { app: 'web' },
        podAnnotations: pod.annotations,
        labels: { from: 'kubelet' },
        annotations: { made: 'so' },
        initPid: 7,
      },
    ])
  })

  // In milliseconds. The runtime's timeout for a request is configured; ttrpc states the remaining time of each
  // request.
  const limits: { what: string; requestTimeout: number; timeout: number; limit: number }[] = [
    { what: 'of the usual 2 s', requestTimeout: 2_000, timeout: 0, limit: 1_500 },
    { what: 'that is not said', requestTimeout: 0, timeout: 0, limit: 1_500 },
    { what: 'that is configured', requestTimeout: 400, timeout: 0, limit: 300 },
    { what: 'that is longer', requestTimeout: 10_000, timeout: 10_000, limit: 7_500 },
    { what: 'of the request itself', requestTimeout: 2_000, timeout: 1_000, limit: 750 },
  ]
  for (const { what, requestTimeout, timeout, limit } of limits)
    it(`lets a container start when three quarters of the runtime's limit are over: one ${what}`, async () => {
      world.runtime.requestTimeout = requestTimeout
      const { answer, isAnswered, end } = await world.starting((seen) => seen.startContainer('a', {}, timeout))
      await world.clock.advance(limit - 1)
      expect(await isAnswered()).to.equal(false)
      await world.clock.advance(1)
      await answer
      expect(world.failed).to.deep.equal(['a: LATE'])
      end()
    })

  const failures: { what: string; prepare: Prepare }[] = [
    { what: 'throws', prepare: () => expect.fail('no room') },
    { what: 'rejects', prepare: () => Promise.reject(new Error('no room')) },
  ]
  for (const { what, prepare } of failures)
    it(`lets a container start whose preparation ${what}`, async () => {
      const seen = await world.begin()
      world.prepare = prepare
      await seen.startContainer('a')
      expect(world.failed).to.deep.equal(['a: no room'])
      expect(world.lost).to.deep.equal([])
    })

  it('says which containers are gone', async () => {
    const seen = await world.begin()
    await seen.call('StopContainer', { pod, container: container('a') })
    await seen.call('RemoveContainer', { pod: null, container: container('b') })
    await seen.stateChange('REMOVE_CONTAINER', 'c')
    await seen.stateChange('POST_START_CONTAINER', 'd')
    expect(world.gone).to.deep.equal(['a', 'b', 'c'])
  })

  it('hands on the containers that are there already, but not those that have ended', async () => {
    const list = [
      container('a', { state: 'CONTAINER_RUNNING', pid: 5 }),
      container('b', { state: 'CONTAINER_STOPPED' }),
    ]
    world.runtime.lists = [list, [container('c')]]
    const seen = await world.begin()
    // The plugin passes the containers on slightly before the runtime has the plugin's answer.
    await eventually('both lists to be answered', async () => seen.more.length === 2, undefined, 1)
    expect(world.started.map(({ containerID, podName, initPid }) => [containerID, podName, initPid])).to.deep.equal([
      ['a', 'web', 5],
      ['c', 'web', undefined],
    ])
    expect(seen.more).to.deep.equal([true, false])
  })

  it('loses no listed container by another that has no id of one, and says so', async () => {
    world.runtime.lists = [[container('a'), container(''), container('../b'), container('c')]]
    await world.begin()
    await eventually('the list', async () => world.started.length === 2, undefined, 1)
    expect(world.started.map(({ containerID }) => containerID)).to.deep.equal(['a', 'c'])
    expect(world.failed).to.deep.equal([': PROTOCOL', '../b: PROTOCOL'])
    expect(world.lost).to.deep.equal([])
  })

  it('waits as long as usual where a runtime says that it waits for less than nothing', async () => {
    world.runtime.requestTimeout = -5
    const { answer, end } = await world.starting((seen) => seen.startContainer('a', {}, -7))
    await world.clock.advance(1_000)
    expect(world.failed).to.deep.equal([])
    end()
    await answer
  })

  it('registers though the preparation of one of these does not end', async () => {
    world.runtime.lists = [[container('a'), container('b')]]
    world.prepare = ({ containerID }) => (containerID === 'a' ? new Promise(() => undefined) : undefined)
    const seen = await world.begin()
    await seen.startContainer('b')
  })

  it('comes back when the runtime went, and gets what is there again', async () => {
    await world.begin()
    await world.runtime.close()
    expect(await world.lostAgain()).to.include({ code: 'CLOSED', delay: 250 })
    expect(world.plugin.registered).to.equal(false)
    world.runtime.lists = [[container('a')]]
    await world.runtime.listen()
    await world.clock.advance(250)
    await (await world.registration(2)).startContainer('b')
    expect(world.started.map(({ containerID }) => containerID)).to.deep.equal(['a', 'b'])
    expect(world.plugin.restarts).to.equal(1)
  })

  it('comes back when the runtime closes the connection, as it does when a plugin was too slow', async () => {
    const { answer } = await world.starting((seen) => seen.startContainer('a'))
    void answer
    world.runtime.last.socket.destroy()
    expect(await world.lostAgain()).to.include({ code: 'CLOSED' })
    await world.clock.advance(250)
    await world.registration(2)
  })

  it('waits longer each time that it does not last, and as long as at first after one that lasted', async () => {
    await world.begin()
    for (const [index, delay] of [250, 500, 1_000].entries()) {
      world.runtime.last.socket.destroy()
      expect(await world.lostAgain(index + 1)).to.include({ delay })
      await world.clock.advance(delay)
      await world.registration(index + 2)
    }
    await world.clock.advance(10_000)
    world.runtime.last.socket.destroy()
    expect(await world.lostAgain(4)).to.include({ delay: 250 })
  })

  it('says once that there is no socket, and finds it when there is one', async () => {
    void world.plugin.start()
    expect((await world.lostAgain()).message).to.include('containerd supports NRI from 1.7')
    for (let poll = 0; poll < 20; poll++) {
      await eventually('the next look', async () => world.clock.waiting > 0, undefined, 1)
      await world.clock.advance(10_000)
    }
    expect(world.lost.map(({ code }) => code)).to.deep.equal(['NO_SOCKET'])
    expect(world.plugin.restarts).to.equal(1)
    await world.runtime.listen()
    await eventually('the next look', async () => world.clock.waiting > 0, undefined, 1)
    await world.clock.advance(10_000)
    await world.registration()
  })

  it('says that no runtime answers at the socket', async () => {
    writeFileSync(world.socket, '')
    void world.plugin.start()
    expect(await world.lostAgain()).to.include({ code: 'UNREACHABLE' })
    rmSync(world.socket)
  })

  it('gives up a runtime that takes the connection and says nothing', async () => {
    world.runtime.silent = true
    await world.runtime.listen()
    void world.plugin.start()
    await eventually(
      'the connection',
      async () => world.runtime.plugins.length === 1 && world.clock.waiting > 0,
      undefined,
      1,
    )
    await world.clock.advance(30_000)
    expect(await world.lostAgain()).to.include({ code: 'TIMEOUT' })
  })

  it('answers UNIMPLEMENTED to what it does not know, and goes on', async () => {
    const seen = await world.begin()
    const error = await seen.call('RunPodSandbox', {}, 'RemoveContainer').catch((error: unknown) => error)
    expect(error).to.include({ code: 'REFUSED' })
    expect((error as NriError).message).to.include('UNIMPLEMENTED')
    await seen.startContainer('a')
    expect(world.lost).to.deep.equal([])
  })

  const wrong: { what: string; send: (seen: PluginSeen) => unknown; says: string }[] = [
    {
      what: 'frames that are none',
      send: ({ socket }) => socket.write('HTTP/1.1 400 Bad Request\r\n'),
      says: 'connection',
    },
    {
      what: 'a container without an id',
      send: (seen) => seen.startContainer('').catch(() => undefined),
      says: 'without a container',
    },
    {
      what: 'a start without a container',
      send: (seen) => seen.call('StartContainer', { pod }).catch(() => undefined),
      says: 'without a container',
    },
    {
      what: 'a list that has no end',
      send: async (seen) => {
        const piece = { containers: [container('a', { labels: { long: 'x'.repeat(4_000_000) } })], more: true }
        for (let count = 0; count < 20; count++) await seen.call('Synchronize', piece)
      },
      says: 'the limit is 67108864',
    },
    {
      what: 'a list of very many',
      send: async (seen) => {
        const piece = { containers: Array.from({ length: 40_000 }, () => ({})), more: true }
        for (let count = 0; count < 2; count++) await seen.call('Synchronize', piece)
      },
      says: 'the limit is 65536',
    },
  ]
  for (const { what, send, says } of wrong)
    it(`ends the connection at ${what}, says so, and comes back`, async () => {
      void Promise.resolve(send(await world.begin())).catch(() => undefined)
      const { code, message, delay } = await world.lostAgain()
      expect(code).to.equal('PROTOCOL')
      expect(message).to.include(says)
      await world.clock.advance(delay)
      await world.registration(2)
    })

  it('is gone when it was stopped, and leaves no timer', async () => {
    const { answer } = await world.starting((seen) => seen.startContainer('a'))
    void answer
    await world.plugin.stop()
    expect(world.lost).to.deep.equal([])
    expect(world.clock.waiting).to.equal(0)
    await eventually('the runtime to see it', async () => world.runtime.last.closed, undefined, 1)
  })
})
