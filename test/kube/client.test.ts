import { expect } from 'chai'
import {
  ApiError,
  ConnectionError,
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isInvalid,
  isNotFound,
} from '../../src/kube/api-error.ts'
import type { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { configFor, failure, target, testClient, thing, things, thingsPath } from './harness.ts'
import { scripted } from './scripted-client.ts'
import { json, silence, status, until } from './scripted-server.ts'

describe('kube client', () => {
  const world = scripted()

  describe('sends what the API wants', () => {
    const one = thing('one', 7, { value: 1 })
    const rows: {
      title: string
      call: (client: ApiClient) => Promise<unknown>
      line: string
      query?: Record<string, string>
      type?: string
      accept?: string
      body?: unknown
    }[] = [
      { title: 'get', call: (c) => c.get(things, target), line: `GET ${thingsPath}/one` },
      {
        title: 'get of a subresource',
        call: (c) => c.get(things, target, { subresource: 'scale' }),
        line: `GET ${thingsPath}/one/scale`,
      },
      {
        title: 'list with selectors',
        call: (c) => c.list(things, { labelSelector: 'a=b', fieldSelector: 'metadata.name=x', limit: 3 }),
        line: 'GET /apis/example.org/v1/things',
        query: { labelSelector: 'a=b', fieldSelector: 'metadata.name=x', limit: '3' },
      },
      {
        title: 'create',
        call: (c) =>
          c.create(things, { metadata: { name: 'one', namespace: 'default' } }, { fieldManager: 'me', dryRun: true }),
        line: `POST ${thingsPath}`,
        query: { fieldManager: 'me', dryRun: 'All' },
        type: 'application/json',
        body: { apiVersion: 'example.org/v1', kind: 'Thing', metadata: { name: 'one', namespace: 'default' } },
      },
      {
        title: 'update',
        call: (c) => c.update(things, one),
        line: `PUT ${thingsPath}/one`,
        type: 'application/json',
        body: one,
      },
      {
        title: 'update of the status',
        call: (c) => c.updateStatus(things, one),
        line: `PUT ${thingsPath}/one/status`,
        body: one,
      },
      {
        title: 'update of which only the metadata is to be answered',
        call: (c) => c.updateStatus(things, one, { answer: 'metadata' }),
        line: `PUT ${thingsPath}/one/status`,
        accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json',
        body: one,
      },
      {
        title: 'JSON patch',
        call: (c) => c.patch(things, target, { type: 'json', patch: [{ op: 'remove', path: '/spec' }] }),
        line: `PATCH ${thingsPath}/one`,
        type: 'application/json-patch+json',
        body: [{ op: 'remove', path: '/spec' }],
      },
      {
        title: 'merge patch',
        call: (c) => c.patch(things, target, { type: 'merge', patch: { spec: null } }),
        line: `PATCH ${thingsPath}/one`,
        type: 'application/merge-patch+json',
        body: { spec: null },
      },
      {
        title: 'strategic patch',
        call: (c) => c.patch(things, target, { type: 'strategic', patch: { spec: {} } }),
        line: `PATCH ${thingsPath}/one`,
        type: 'application/strategic-merge-patch+json',
        body: { spec: {} },
      },
      {
        title: 'server-side apply',
        call: (c) => c.apply(things, one, { fieldManager: 'varmor', force: true }),
        line: `PATCH ${thingsPath}/one`,
        query: { fieldManager: 'varmor', force: 'true' },
        type: 'application/apply-patch+yaml',
        body: one,
      },
      {
        title: 'delete with preconditions',
        call: (c) =>
          c.delete(things, target, {
            preconditions: { uid: 'u', resourceVersion: '7' },
            propagationPolicy: 'Foreground',
          }),
        line: `DELETE ${thingsPath}/one`,
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid: 'u', resourceVersion: '7' },
          propagationPolicy: 'Foreground',
        },
      },
      {
        title: 'delete of a collection',
        call: (c) => c.deleteCollection(things, { namespace: 'default', labelSelector: 'a' }),
        line: `DELETE ${thingsPath}`,
        query: { labelSelector: 'a' },
      },
      {
        title: 'a subresource that is made',
        call: (c) => c.createSubresource(things, { ...target, subresource: 'eviction' }, { kind: 'Eviction' }),
        line: `POST ${thingsPath}/one/eviction`,
        body: { kind: 'Eviction' },
      },
    ]
    for (const { title, call, line, query = {}, type, accept = 'application/json', body } of rows)
      it(title, async () => {
        world.server.otherwise = json({ kind: 'Thing' })
        await call(world.client)
        const [seen] = world.server.requests(line)
        expect(seen, JSON.stringify(world.server.seen.map((each) => `${each.method} ${each.path}`))).to.not.equal(
          undefined,
        )
        expect(Object.fromEntries(seen!.query)).to.deep.equal(query)
        if (type !== undefined) expect(seen!.headers['content-type']).to.equal(type)
        expect(seen!.headers['accept']).to.equal(accept)
        if (body !== undefined) expect(JSON.parse(seen!.body)).to.deep.equal(body)
      })
  })

  it('names what cannot be asked, before anything is sent', async () => {
    expect(await failure((async () => world.client.get(things, { name: 'one' }))())).to.match(/needs a namespace/)
    expect(await failure((async () => world.client.get(things, { namespace: 'a', name: '../pods' }))())).to.match(
      /cannot be a part of a path/,
    )
    expect(await failure((async () => world.client.get({ ...things, namespaced: false }, target))())).to.match(
      /does not have namespaces/,
    )
    expect(await failure((async () => world.client.patch(things, target, { type: 'apply', patch: {} }))())).to.match(
      /fieldManager/,
    )
    expect(world.server.seen).to.have.length(0)
  })

  it('gives all pages, and objects of a list with their kind', async () => {
    const { apiVersion, kind, ...bare } = thing('one', 1)
    world.server.script = [
      json({ metadata: { resourceVersion: '9', continue: 'tok' }, items: [bare] }),
      json({ metadata: { resourceVersion: '9' }, items: [thing('two', 2)] }),
    ]
    const names: string[] = []
    for await (const page of world.client.listPages(things, { resourceVersion: '0' }))
      for (const { metadata, apiVersion: given } of page.items) names.push(`${metadata.name} ${given}`)
    expect(names).to.deep.equal(['one example.org/v1', 'two example.org/v1'])
    expect(world.server.seen.map(({ query }) => Object.fromEntries(query))).to.deep.equal([
      { limit: '500', resourceVersion: '0' },
      { limit: '500', continue: 'tok' },
    ])
    expect([apiVersion, kind]).to.deep.equal(['example.org/v1', 'Thing'])
  })

  it('gives an empty list where items is null', async () => {
    world.server.otherwise = json({ metadata: { resourceVersion: '1' }, items: null })
    expect((await world.client.list(things)).items).to.deep.equal([])
  })

  describe('says what the server refused', () => {
    const predicates = { isNotFound, isConflict, isAlreadyExists, isExpired, isInvalid, isForbidden }
    const rows: { code: number; reason: string; is: keyof typeof predicates }[] = [
      { code: 404, reason: 'NotFound', is: 'isNotFound' },
      { code: 409, reason: 'Conflict', is: 'isConflict' },
      { code: 409, reason: 'AlreadyExists', is: 'isAlreadyExists' },
      { code: 410, reason: 'Expired', is: 'isExpired' },
      { code: 410, reason: 'Gone', is: 'isExpired' },
      { code: 422, reason: 'Invalid', is: 'isInvalid' },
      { code: 403, reason: 'Forbidden', is: 'isForbidden' },
    ]
    for (const { code, reason, is } of rows)
      it(`${code} ${reason}`, async () => {
        world.server.otherwise = status(code, reason, 'because')
        const error = (await failure(world.client.get(things, target))) as ApiError
        expect(error).to.be.instanceOf(ApiError)
        expect([error.code, error.reason, error.status.message]).to.deep.equal([code, reason, 'because'])
        expect(error.context).to.deep.equal({ verb: 'get', path: `${thingsPath}/one` })
        const holding = Object.entries(predicates).filter(([, holds]) => holds(error))
        expect(holding.map(([name]) => name)).to.deep.equal([is])
      })

    it('a page of a proxy instead of a Status', async () => {
      world.server.otherwise = (response) => {
        response.writeHead(403).end(`<html>${'x'.repeat(1_000_000)}</html>`)
      }
      const error = (await failure(world.client.get(things, target))) as ApiError
      expect([error.reason, error.status.message!.slice(0, 8)]).to.deep.equal(['Forbidden', '<html>xx'])
      expect(error.message.length).to.be.below(1000)
    })
  })

  it('ends at the deadline, and gives the connection up', async () => {
    world.server.otherwise = silence
    const error = failure(world.client.get(things, target, { deadline: 5000 }))
    await until('the request', () => world.server.seen.length === 1)
    await world.test.clock.advance(5000)
    expect(await error)
      .to.be.instanceOf(ConnectionError)
      .with.property('code', 'DEADLINE')
    await until('the end of the connection', () => world.server.seen[0]!.gone)
  })

  it('ends at the deadline, also when credentials never come', async () => {
    const stuck = {
      origin: world.server.url,
      basePath: '',
      namespace: 'default',
      credentials: () => new Promise<never>(() => undefined),
      renew: () => undefined,
      close: async () => undefined,
    }
    const waiting = testClient(world.server.url, { connection: stuck })
    const error = failure(waiting.client.get(things, target, { deadline: 5000 }))
    await waiting.clock.advance(5000)
    expect(await error).to.have.property('code', 'DEADLINE')
  })

  it('ends when its caller gives up', async () => {
    world.server.otherwise = silence
    const controller = new AbortController()
    const error = failure(world.client.create(things, thing('one', ''), { signal: controller.signal }))
    await until('the request', () => world.server.seen.length === 1)
    controller.abort(new Error('enough'))
    expect(await error).to.have.property('message', 'enough')
    expect(world.test.clock.waiting).to.equal(0)
  })

  it('goes on with a connection after whatever it has sent over it', async () => {
    const connection = new KubeConnection(configFor(world.server.url), { connections: 1 })
    const { client } = testClient(world.server.url, { connection })
    world.server.otherwise = json(thing('one', 1))
    for (let i = 0; i < 3; i++) {
      await client.get(things, target)
      await client.delete(things, target, { preconditions: { uid: 'one' } })
      await client.create(things, thing('one', ''))
    }
    expect(world.server.seen.length).to.equal(9)
    expect(world.server.connections).to.equal(1)
    await connection.close()
  })

  it('sends nothing of a request that was given up while it waited for a connection', async () => {
    const connection = new KubeConnection(configFor(world.server.url), { connections: 1 })
    const one = testClient(world.server.url, { connection })
    let free = () => undefined as unknown
    world.server.script = [
      (response, seen) => {
        free = () => json(thing('one', 1))(response, seen)
      },
    ]
    world.server.otherwise = json(thing('one', 2))
    const first = one.client.get(things, target)
    await until('the first', () => world.server.seen.length === 1)
    const controller = new AbortController()
    const second = failure(one.client.create(things, thing('two', ''), { signal: controller.signal }))
    const third = one.client.get(things, target)
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort(new Error('enough'))
    expect(await second).to.have.property('message', 'enough')
    free()
    await Promise.all([first, third])
    expect(world.server.seen.map(({ method }) => method)).to.deep.equal(['GET', 'GET'])
    await connection.close()
  })

  it('refuses an answer that is longer than its bound', async () => {
    const bounded = testClient(world.server.url, { maxAnswer: 1000 })
    world.server.otherwise = json({ text: 'x'.repeat(2000) })
    const error = await failure(bounded.client.get(things, target))
    expect(error).to.be.instanceOf(ConnectionError).with.property('code', 'TOO_LARGE')
    await bounded.connection.close()
  })

  it('says so when the answer is no JSON', async () => {
    world.server.otherwise = (response) => {
      response.writeHead(200).end('<html>')
    }
    expect(await failure(world.client.get(things, target)))
      .to.be.instanceOf(ConnectionError)
      .with.property('code', 'NOT_JSON')
  })

  it('leaves one listener at most on a signal that outlives the requests', async () => {
    world.server.otherwise = json(thing('one', 1))
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = ((...given: Parameters<typeof add>) => {
      listeners++
      add(...given)
    }) as typeof signal.addEventListener
    signal.removeEventListener = ((...given: Parameters<typeof remove>) => {
      listeners--
      remove(...given)
    }) as typeof signal.removeEventListener
    for (let i = 0; i < 20; i++) await world.client.get(things, target, { signal })
    expect(listeners).to.be.at.most(1)
    expect(world.test.clock.waiting).to.equal(0)
  })

  it('calls the observer for every attempt', async () => {
    const attempts: string[] = []
    const observed = testClient(world.server.url, {
      observer: {
        started: ({ verb, resource, class: of, attempt }) => attempts.push(`${verb} ${resource} ${of} ${attempt}`),
        ended: (_, { code, seconds, waited }) => attempts.push(`${code} ${seconds} ${waited}`),
      },
    })
    world.server.script = [status(429, 'TooManyRequests'), json(thing('one', 1))]
    const done = observed.client.updateStatus(things, thing('one', 1))
    await until('a wait', () => observed.clock.waiting === 2)
    await observed.clock.advance(100)
    await done
    expect(attempts).to.deep.equal(['update things status 1', '429 0 0', 'update things status 2', '200 0 0'])
    await observed.connection.close()
  })
})
