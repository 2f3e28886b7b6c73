import { expect } from 'chai'
import type { SimulatedClock } from '../../actors/runtime/simulated-clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { ApiError, ConnectionError } from '../../src/kube/api-error.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { configMaps } from '../../src/kube/core-objects.ts'
import { FencedError } from '../../src/kube/fence.ts'
import { unlimited } from '../../src/kube/limiter.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import type { ApiServer } from '../../src/sandbox/api-server/server.ts'
import { type Fault, faultsOf } from './faults.ts'
import { startInProcess } from './in-process.ts'
import { InProcessConnection } from './in-process-connection.ts'

const namespace = 'default'
const target = { namespace, name: 'settings' }
const made = (name = target.name, data: Record<string, string> = { a: '1' }) => ({
  metadata: { namespace, name },
  data,
})

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('a connection to the embedded server without sockets', () => {
  let server: ApiServer
  let clock: SimulatedClock
  let connection: InProcessConnection
  let client: ApiClient

  beforeEach(async () => {
    const harness = await startInProcess()
    server = harness.server
    clock = harness.clock
    connection = new InProcessConnection(server.client({ name: 'tester', groups: ['system:masters'] }))
    client = new ApiClient({ connection, limiter: unlimited, clock, random: seededRandom(1), attempts: 1 })
  })
  afterEach(() => server.close())

  const stored = () => server.context.store.get('/configmaps', namespace, target.name)
  const struck = (fault: Fault) => faultsOf(server).add({ resource: 'configmaps', times: 1, fault })

  it('carries requests and answers', async () => {
    await client.create(configMaps, made())
    const patched = await client.patch(configMaps, target, { type: 'merge', patch: { data: { b: 'ü' } } })
    expect(patched.data).to.deep.equal({ a: '1', b: 'ü' })
    const { items } = await client.list(configMaps, { namespace, labelSelector: 'none=such' })
    expect(items).to.deep.equal([])
    expect(await client.version()).to.have.property('major', '1')
  })

  it('carries refusals', async () => {
    const error = await failure(client.get(configMaps, target))
    expect(error).to.be.instanceOf(ApiError).with.property('code', 404)
  })

  it('carries an answer that is longer than a chunk', async () => {
    const data = { long: 'x'.repeat(300_000) }
    await client.create(configMaps, made(target.name, data))
    expect((await client.get(configMaps, target)).data).to.deep.equal(data)
  })

  it('shares nothing with the server', async () => {
    await client.create(configMaps, made())
    const got = await client.get(configMaps, target)
    got.data!['a'] = 'another'
    expect(stored()).to.have.deep.property('data', { a: '1' })
  })

  it('carries a watch until the reader leaves, and leaves none behind at the server', async () => {
    const seen: string[] = []
    const reader = new AbortController()
    const sink = { changed: (type: string, { metadata }: KubeObject) => void seen.push(`${type} ${metadata?.name}`) }
    const watching = failure(client.watch(configMaps, { namespace }, sink, reader.signal))
    await client.create(configMaps, made('first'))
    await client.create(configMaps, made('second'))
    await macrotask()
    expect(seen.filter((text) => !text.includes('kube-root'))).to.deep.equal(['ADDED first', 'ADDED second'])
    expect(server.context.hub.size).to.equal(1)
    reader.abort(new Error('enough'))
    expect(await watching).to.have.property('message', 'enough')
    expect(server.context.hub.size).to.equal(0)
  })

  it('leaves no watch behind at the server that breaks as it begins', async () => {
    struck({ type: 'reset', after: true })
    const timers = clock.timers
    const watching = client.watch(configMaps, { namespace }, { changed: () => undefined }, new AbortController().signal)
    expect(await failure(watching))
      .to.be.instanceOf(ConnectionError)
      .with.property('code', 'BROKEN')
    expect(server.context.hub.size).to.equal(0)
    expect(clock.timers).to.equal(timers)
  })

  it('ends a watch that the server ends', async () => {
    const watching = client.watch(configMaps, { namespace }, { changed: () => undefined }, new AbortController().signal)
    await macrotask()
    server.context.hub.endWhere(() => true)
    await watching
  })

  const resets: { what: string; fault: Fault; isMade: boolean }[] = [
    { what: 'before the request took effect', fault: { type: 'reset' }, isMade: false },
    { what: 'after the request took effect', fault: { type: 'reset', after: true }, isMade: true },
  ]
  for (const { what, fault, isMade } of resets)
    it(`says that a request may have arrived when it breaks ${what}`, async () => {
      struck(fault)
      const error = await failure(client.create(configMaps, made()))
      expect(error).to.be.instanceOf(ConnectionError).with.property('code', 'BROKEN')
      expect(stored() !== undefined).to.equal(isMade)
    })

  it('asks the fence last thing before the server sees the request', async () => {
    const fence = {
      signal: new AbortController().signal,
      // The caller checks the fence first, and the exchange checks it last.
      left: 1,
      check() {
        if (this.left-- === 0) throw new FencedError('the term is over')
      },
    }
    const error = await failure(client.create(configMaps, made(), { fence }))
    expect(error).to.be.instanceOf(FencedError)
    expect(stored()).to.equal(undefined)
  })

  it('gives up a request whose deadline comes while the server thinks', async () => {
    struck({ type: 'latency', milliseconds: 5_000 })
    const asked = failure(client.create(configMaps, made(), { deadline: 1_000 }))
    await macrotask()
    clock.advance(1_000)
    expect(await asked)
      .to.be.instanceOf(ConnectionError)
      .with.property('code', 'DEADLINE')
    clock.advance(4_000)
    await macrotask()
    expect(stored(), 'the server knows nothing of that').not.to.equal(undefined)
  })

  it('fails what is under way when it is closed, and sends nothing afterwards', async () => {
    await client.create(configMaps, made('before'))
    const watching = failure(
      client.watch(configMaps, { namespace }, { changed: () => undefined }, new AbortController().signal),
    )
    await macrotask()
    await connection.close()
    expect(await watching)
      .to.be.instanceOf(ConnectionError)
      .with.property('code', 'BROKEN')
    expect(server.context.hub.size).to.equal(0)
    const late = await failure(client.create(configMaps, made()))
    expect(late).to.be.instanceOf(ConnectionError).with.property('code', 'NOT_SENT')
    expect(stored()).to.equal(undefined)
  })
})
