import { expect } from 'chai'
import { mebibyte } from '../../src/base/bytes.ts'
import { LISTS_AT_ONCE } from '../../src/kube/caller.ts'
import { clientSource, Reflector } from '../../src/kube/reflector.ts'
import { type TestClient, type Thing, target, testClient, thing, things } from './harness.ts'
import { type Answer, json, ScriptedServer, stream, until } from './scripted-server.ts'

/** A tenant's possible list: 30 objects, some of nearly the 1.5 MiB that etcd accepts, others small. */
const all = Array.from({ length: 30 }, (_, i) =>
  thing(`t${String(i).padStart(2, '0')}`, i + 1, { text: 'x'.repeat(i % 3 === 0 ? 1_400_000 : 10) }),
)

/** Pages like an API server's. */
const paged: Answer = (response, seen) => {
  if (seen.query.get('watch') === 'true') return stream([], 'hang')(response, seen)
  const from = Number(seen.query.get('continue') ?? 0)
  const to = Math.min(all.length, from + Number(seen.query.get('limit') ?? all.length))
  // The server's cache answers without pages.
  const isWhole = seen.query.get('resourceVersion') === '0'
  const next = !isWhole && to < all.length ? { continue: String(to) } : {}
  json({ metadata: { resourceVersion: '99', ...next }, items: isWhole ? all : all.slice(from, to) })(response, seen)
}

describe('lists of objects that are large', () => {
  let server: ScriptedServer
  let test: TestClient

  beforeEach(async () => {
    server = await ScriptedServer.start()
    server.otherwise = paged
    test = testClient(server.url, { maxAnswer: 4 * mebibyte })
  })
  afterEach(async () => {
    await test.connection.close()
    await server.stop()
  })

  it('are read to their end, in pages of as many as fit into an answer', async () => {
    const names: (string | undefined)[] = []
    for await (const { items } of test.client.listPages(things))
      names.push(...items.map(({ metadata }) => metadata.name))
    expect(names).to.deep.equal(all.map(({ metadata }) => metadata.name))
  })

  it('are read two at a time, whatever other requests there are, and another when one has ended or was given up', async () => {
    let [reading, max] = [0, 0]
    const waiting: (() => void)[] = []
    server.otherwise = (response, seen) => {
      if (seen.query.get('watch') !== 'true' && !/\/things$/.test(seen.path)) return json(all[1])(response, seen)
      max = Math.max(max, ++reading)
      waiting.push(() => {
        reading--
        json({ metadata: { resourceVersion: '1' }, items: [] })(response, seen)
      })
    }
    const controller = new AbortController()
    const { signal } = controller
    const lists = Array.from({ length: 8 }, (_, i) => test.client.list(things, i === 7 ? { signal } : {}))
    const given = lists[7]!.catch((error: unknown) => error)
    await until('two lists', () => waiting.length === 2)
    expect((await test.client.get(things, target)).metadata?.name).to.equal('t01')
    controller.abort(new Error('given up'))
    expect(await given).to.have.property('message', 'given up')
    for (let ended = 0; ended < 7; ended++) {
      await until('a list', () => waiting.length > 0)
      waiting.shift()!()
    }
    await Promise.all(lists.slice(0, 7))
    expect(max).to.equal(LISTS_AT_ONCE)
  })

  it('fill the store of a reflector', async () => {
    const reflector = new Reflector<Thing>({ source: clientSource(test.client, things), clock: test.clock })
    reflector.start()
    await until('the list', () => {
      if (reflector.state === 'waiting') void test.clock.advance(1_000)
      return reflector.state === 'watching'
    })
    expect(await reflector.synced).to.equal(true)
    expect([...reflector.store.keys()]).to.have.length(all.length)
    await reflector.stop()
  })
})
