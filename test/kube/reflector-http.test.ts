import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import type { Change } from '../../src/kube/change.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../../src/kube/reflector.ts'
import { checkOrder } from './check-order.ts'
import { ManualClock, type TestClient, type Thing, testClient, thing, things } from './harness.ts'
import { json, reset, ScriptedServer, silence, status, stream, until } from './scripted-server.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const quick: Partial<ReflectorTiming> = { backoffFirst: 10, backoffLongest: 10 }
const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`
const bookmark = (version: string): string =>
  line('BOOKMARK', { kind: 'Thing', metadata: { resourceVersion: version } })
const error = (code: number, reason: string): string => line('ERROR', { kind: 'Status', code, reason, message: reason })
const list = (version: number, ...items: Thing[]) => json({ metadata: { resourceVersion: String(version) }, items })

describe('kube reflector over sockets', () => {
  let server: ScriptedServer
  let test: TestClient
  let clock: ManualClock
  let reflector: Reflector<Thing>
  let changes: Change<Thing>[]
  let errors: unknown[]

  const start = (timing: Partial<ReflectorTiming> = quick) => {
    changes = []
    errors = []
    clock = new ManualClock()
    reflector = new Reflector<Thing>({
      source: clientSource(test.client, things, { namespace: 'default', labelSelector: 'app=web' }),
      clock,
      random: () => 0,
      timing,
      observer: { failed: (each) => void errors.push(each) },
    })
    reflector.subscribe({ name: 'all', mode: 'edge', handle: (change) => void changes.push(change) })
    reflector.start()
  }
  /** Waits until the condition is true, and lets backoffs pass. */
  const goOn = (what: string, condition: () => boolean) =>
    until(what, () => {
      if (condition()) return true
      if (reflector.state === 'waiting') void clock.advance(10)
      return false
    })
  const values = () =>
    Object.fromEntries(
      Array.from(reflector.store.values(), ({ metadata, spec }) => [metadata.name, spec?.value ?? spec?.text]),
    )
  const watches = () => server.seen.filter(({ query }) => query.get('watch') === 'true')
  const lists = () => server.seen.filter(({ query }) => query.get('watch') === null)

  beforeEach(async () => {
    server = await ScriptedServer.start()
    server.otherwise = silence
    test = testClient(server.url)
  })
  afterEach(async () => {
    await reflector.stop()
    expect(clock.waiting, 'timers left').to.equal(0)
    await test.connection.close()
    await server.stop()
  })

  it('asks for bookmarks, a timeout, and what its selectors name', async () => {
    server.script = [list(5), stream([])]
    start()
    await goOn('the watch', () => reflector.state === 'watching')
    expect(Object.fromEntries(lists()[0]!.query)).to.deep.equal({
      labelSelector: 'app=web',
      resourceVersion: '0',
      limit: '500',
    })
    expect(Object.fromEntries(watches()[0]!.query)).to.deep.equal({
      watch: 'true',
      allowWatchBookmarks: 'true',
      labelSelector: 'app=web',
      resourceVersion: '5',
      timeoutSeconds: '300',
    })
    expect(reflector.store.size).to.equal(0)
  })

  it('reads characters that come in pieces', async () => {
    const text = 'größer 火 🛡'
    const bytes = Buffer.from(line('ADDED', thing('a', 6, { text })))
    server.script = [list(5), stream([...bytes].map((byte) => Buffer.of(byte)))]
    start()
    await goOn('the object', () => reflector.store.size === 1)
    expect(values()).to.deep.equal({ a: text })
  })

  it('goes on from the last bookmark after a clean end', async () => {
    server.script = [
      list(5, thing('a', 5)),
      stream([bookmark('77')], 'end'),
      stream([line('MODIFIED', thing('a', 78, { value: 1 }))]),
    ]
    start()
    await goOn('the change', () => values()['a'] === 1)
    expect(watches().map(({ query }) => query.get('resourceVersion'))).to.deep.equal(['5', '77'])
    expect([lists().length, errors.length]).to.deep.equal([1, 0])
  })

  it('goes on after a reset in the middle of a line, and takes nothing of that line', async () => {
    const whole = line('ADDED', thing('a', 6, { value: 1 }))
    server.script = [
      list(5),
      stream([whole, line('ADDED', thing('b', 7)).slice(0, 40)], 'cut'),
      stream([line('ADDED', thing('b', 7, { value: 2 }))]),
    ]
    start()
    await goOn('both', () => reflector.store.size === 2)
    expect(values()).to.deep.equal({ a: 1, b: 2 })
    expect(watches()[1]!.query.get('resourceVersion')).to.equal('6')
    expect(lists()).to.have.length(1)
  })

  it('goes on after an end in the middle of a line', async () => {
    server.script = [
      list(5),
      stream([line('ADDED', thing('b', 7)).slice(0, 40)], 'end'),
      stream([line('ADDED', thing('b', 7))]),
    ]
    start()
    await goOn('the object', () => reflector.store.size === 1)
    expect(errors).to.have.length(1)
  })

  const faults: { title: string; script: ScriptedServer['script']; lists: number }[] = [
    { title: 'list 500', script: [status(500, 'InternalError'), list(5, thing('a', 5))], lists: 2 },
    { title: 'list reset', script: [reset, list(5, thing('a', 5))], lists: 2 },
    { title: 'watch 500', script: [list(5, thing('a', 5)), status(500, 'InternalError')], lists: 1 },
    { title: 'watch reset', script: [list(5, thing('a', 5)), reset], lists: 1 },
    { title: 'watch 410', script: [list(5, thing('a', 5)), status(410, 'Expired'), list(6, thing('a', 6))], lists: 2 },
    {
      title: '410 in the stream',
      script: [list(5, thing('a', 5)), stream([error(410, 'Expired')]), list(6, thing('a', 6))],
      lists: 2,
    },
    { title: '500 in the stream', script: [list(5, thing('a', 5)), stream([error(500, 'InternalError')])], lists: 1 },
    {
      title: 'no JSON in the stream',
      script: [list(5, thing('a', 5)), stream(['<html>\n']), list(6, thing('a', 6))],
      lists: 2,
    },
    {
      title: 'JSON that is no event',
      script: [list(5, thing('a', 5)), stream(['{"type":"MODIFIED"}\n']), list(6, thing('a', 6))],
      lists: 2,
    },
    {
      title: 'an object without a version',
      script: [list(5, thing('a', 5)), stream([line('ADDED', thing('b', ''))]), list(6, thing('a', 6))],
      lists: 2,
    },
  ]
  for (const { title, script, lists: wanted } of faults)
    it(`lives on after: ${title}`, async () => {
      server.script = [...script, stream([line('MODIFIED', thing('a', 9, { value: 9 }))])]
      start()
      await goOn('the change', () => values()['a'] === 9)
      expect([lists().length, errors.length]).to.deep.equal([wanted, 1])
      await goOn('the handler', () => changes.at(-1)?.object.metadata.resourceVersion === '9')
      checkOrder(changes)
    })

  it('refuses a gigantic line, holds no more than its bound, and lists', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x')
    server.script = [
      list(5),
      async (response) => {
        response.writeHead(200)
        for (let i = 0; i < 64 && !response.destroyed; i++) {
          response.write(megabyte)
          while (response.writableNeedDrain && !response.destroyed)
            await new Promise((resolve) => setImmediate(resolve))
        }
      },
      list(6, thing('a', 6, { value: 1 })),
      stream([]),
    ]
    start()
    await goOn('the list', () => values()['a'] === 1)
    expect(errors[0]).to.have.property('code', 'TOO_LARGE')
    expect(server.sockets.size).to.be.below(3)
  })

  it('gives up a half-open watch and one that is never answered, and their sockets', async () => {
    server.script = [
      list(5),
      stream([line('ADDED', thing('a', 6))], 'hang'),
      silence,
      stream([line('ADDED', thing('b', 7))]),
    ]
    start({ ...quick, inactivity: 1000, opensWithin: 1000 })
    await goOn('the first', () => reflector.store.size === 1)
    await clock.advance(1001)
    await goOn('the second watch', () => watches().length === 2)
    await clock.advance(1001)
    await goOn('the third watch', () => reflector.store.size === 2)
    expect(errors.map((each) => (each as Error).name)).to.deep.equal(['InactiveWatch', 'InactiveWatch'])
    await until('the sockets', () => server.sockets.size <= 2)
  })

  it('leaves no connection when it stops while a watch connects', async () => {
    server.script = [list(5), silence]
    start()
    await until('the watch', () => watches().length === 1)
    await reflector.stop()
    await until('the end of the watch', () => watches()[0]!.gone)
    expect(errors).to.deep.equal([])
  })

  it('keeps sockets, listeners, timers and memory flat over 10,000 reconnects', async () => {
    let version = 5
    server.script = [list(5)]
    server.otherwise = (response) => {
      response.writeHead(200).end(line('ADDED', thing(`t${++version % 100}`, version)))
      // The server's own list of requests would use memory, so it is cleared.
      server.seen.length = 0
    }
    start({ backoffFirst: 1, backoffLongest: 1 })
    let maxSockets = 0
    const measure = () => {
      gc()
      return process.memoryUsage().heapUsed
    }
    const run = async (to: number) => {
      while (version < to) {
        if (reflector.state === 'waiting') await clock.advance(1)
        else await new Promise((resolve) => setImmediate(resolve))
        maxSockets = Math.max(maxSockets, server.sockets.size)
        changes.length = 0
      }
    }
    await run(1000)
    const before = measure()
    const connections = server.connections
    await run(10_000)
    const grown = measure() - before
    expect(server.sockets.size).to.be.below(4)
    expect(maxSockets).to.be.below(4)
    expect(server.connections - connections, 'new connections').to.be.below(100)
    expect(clock.waiting).to.be.below(3)
    expect(grown, 'bytes').to.be.below(8 * 1024 * 1024)
    expect(reflector.store.size).to.equal(100)
  })
})
