import { expect } from 'chai'
import fc from 'fast-check'
import type { JsonObject } from '../../src/sandbox/api-server/schema/json.ts'
import { ConnectionResetError, faultsOf } from './faults.ts'
import { startInProcess, take } from './in-process.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const map = (name: string, more: JsonObject = {}, labels: JsonObject = {}): JsonObject => ({
  metadata: { name, labels, ...more },
  data: {},
})

describe('the embedded API server in process', () => {
  it('gives a client that lists and then watches the same objects as a new list', async () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      label: fc.constantFrom('yes', 'no'),
      remove: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(25), async (steps, start) => {
        const { call, watch } = await startInProcess()
        const selector = 'labelSelector=pick%3Dyes'
        const run = async ({ name, label, remove }: (typeof steps)[number]): Promise<void> => {
          if (remove) await call('DELETE', `${maps}/${name}`)
          else if ((await call('PUT', `${maps}/${name}`, map(name, {}, { pick: label })))['code'] === 404)
            await call('POST', maps, map(name, {}, { pick: label }))
        }
        for (const one of steps.slice(0, start)) await run(one)
        const list = await call('GET', `${maps}?${selector}`)
        const seen = new Map(
          (list['items'] as JsonObject[]).map((item) => [(item['metadata'] as JsonObject)['name'], 1]),
        )
        const from = (list['metadata'] as JsonObject)['resourceVersion']
        const response = await watch(`${maps}?${selector}&watch=true&resourceVersion=${from}`)
        for (const one of steps.slice(start)) await run(one)
        const end = await call('POST', maps, map('end', {}, { pick: 'yes' }))
        for await (const { type, object } of response.events) {
          const { name } = object.metadata as JsonObject
          if (name === (end['metadata'] as JsonObject)['name']) break
          expect(seen.has(name as string)).to.equal(type !== 'ADDED')
          if (type === 'DELETED') seen.delete(name as string)
          else seen.set(name as string, 1)
        }
        const after = (await call('GET', `${maps}?${selector}`))['items'] as JsonObject[]
        const names = after.map((item) => (item['metadata'] as JsonObject)['name']).filter((name) => name !== 'end')
        expect([...seen.keys()].sort()).to.deep.equal(names)
      }),
      { numRuns: 25 },
    )
  })

  it('makes the line of an event once for all who see it alike', async () => {
    const { call, watch, server } = await startInProcess()
    const path = `${maps}?watch=true&resourceVersion=${server.context.store.revision}`
    const watches = [await watch(path), await watch(path)]
    await call('POST', maps, map('shared'))
    const [one, two] = await Promise.all(
      watches.map(async (response) => response.encode((await take(response, 1))[0]!)),
    )
    expect(one).to.equal(two)
    expect(JSON.parse(Buffer.from(one!).toString())).to.nested.include({
      type: 'ADDED',
      'object.metadata.name': 'shared',
    })
  })

  it('makes one record of a change for all its watchers, so that a change costs each of them next to nothing', async () => {
    const { call, watch, server } = await startInProcess()
    await call('POST', maps, map('moving', {}, { pick: 'no' }))
    const path = `${maps}?watch=true&labelSelector=pick%3Dyes&resourceVersion=${server.context.store.revision}`
    const watches = await Promise.all(Array.from({ length: 50 }, () => watch(path)))
    for (const pick of ['yes', 'yes ', 'no']) {
      const body = map('moving', pick === 'yes ' ? { annotations: { a: 'b' } } : {}, { pick: pick.trim() })
      await call('PUT', `${maps}/moving`, body)
    }
    const seen = await Promise.all(watches.map((response) => take(response, 3)))
    expect(seen[0]!.map(({ type }) => type)).to.deep.equal(['ADDED', 'MODIFIED', 'DELETED'])
    for (const i of [0, 1, 2]) expect(new Set(seen.map((records) => records[i]!.object)).size).to.equal(1)
  })

  it('cuts off a watch that falls behind', async () => {
    const { call, watch, server } = await startInProcess({ watchBound: 3 })
    await watch(`${maps}?watch=true&resourceVersion=${server.context.store.revision}`)
    expect(server.context.hub.size).to.equal(1)
    for (let i = 0; i < 5; i++) await call('POST', maps, map(`m${i}`))
    expect(server.context.hub.size).to.equal(0)
  })

  it('says each minute how far a watch has come, and ends it at its timeout with a last word', async () => {
    const { clock, watch } = await startInProcess()
    const response = await watch(
      `${maps}?watch=true&allowWatchBookmarks=true&timeoutSeconds=90&sendInitialEvents=false&resourceVersionMatch=NotOlderThan`,
    )
    clock.advance(60_000)
    clock.advance(30_000)
    const types: string[] = []
    for await (const { type } of response.events) types.push(type)
    expect(types).to.deep.equal(['BOOKMARK', 'BOOKMARK'])
  })

  it('deletes what all its owners have left behind, and not what another still owns', async () => {
    const { call, server } = await startInProcess()
    const owner = async (name: string): Promise<JsonObject> => {
      const { metadata } = await call('POST', maps, map(name))
      return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: (metadata as JsonObject)['uid']! }
    }
    const [one, two] = [await owner('one'), await owner('two')]
    await call('POST', maps, map('of-one', { ownerReferences: [one] }))
    await call('POST', maps, map('of-both', { ownerReferences: [one, two] }))
    await call('DELETE', `${maps}/one`)
    await server.idle()
    expect((await call('GET', `${maps}/of-one`))['code']).to.equal(404)
    const kept = await call('GET', `${maps}/of-both`)
    expect((kept['metadata'] as JsonObject)['ownerReferences']).to.deep.equal([two])
  })

  it('goes on from its snapshot with its objects, definitions and tokens', async () => {
    const { call, server } = await startInProcess()
    await call('POST', maps, map('there'))
    const schema = { openAPIV3Schema: { type: 'object' } }
    await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      metadata: { name: 'kept.test.example' },
      spec: {
        group: 'test.example',
        scope: 'Cluster',
        names: { plural: 'kept', singular: 'kept', kind: 'Kept', listKind: 'KeptList' },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    })
    await server.idle()
    const { status } = await call('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', { spec: {} })
    const snapshot = JSON.parse(JSON.stringify(server.snapshot()))
    server.close()
    const again = await startInProcess({}, snapshot)
    expect(await again.call('GET', `${maps}/there`)).to.nested.include({ 'metadata.name': 'there' })
    expect(await again.call('GET', '/apis/test.example/v1/kept')).to.include({ kind: 'KeptList' })
    const token = (status as JsonObject)['token'] as string
    expect(again.server.context.tokens.verify(token)?.user.name).to.equal('system:serviceaccount:default:default')
    expect(again.server.context.store.revision).to.be.at.least(snapshot.store.revision)
  })

  const faults = [
    { code: 409, reason: 'Conflict' },
    { code: 429, reason: 'TooManyRequests' },
    { code: 500, reason: 'InternalError' },
    { code: 503, reason: 'ServiceUnavailable' },
  ] as const
  for (const { code, reason } of faults)
    it(`can be made to answer ${code}, as often as a test wants`, async () => {
      const { call, server } = await startInProcess()
      faultsOf(server).add({ verb: 'create', resource: 'configmaps', times: 1, fault: { type: 'status', code } })
      expect(await call('POST', maps, map('a'))).to.include({ code, reason })
      expect(await call('POST', maps, map('a'))).to.nested.include({ 'metadata.name': 'a' })
    })

  it('can be made to break a connection after the write has taken effect', async () => {
    const { call, server } = await startInProcess()
    faultsOf(server).add({ verb: 'create', times: 1, fault: { type: 'reset', after: true } })
    const failed = await call('POST', maps, map('a')).catch((error: unknown) => error)
    expect(failed).to.be.instanceOf(ConnectionResetError)
    expect(await call('GET', `${maps}/a`)).to.nested.include({ 'metadata.name': 'a' })
  })

  it('can be made to cut a watch, and to fall silent in one', async () => {
    const { call, watch, server } = await startInProcess()
    faultsOf(server).add({ verb: 'watch', times: 1, fault: { type: 'watch-cut', events: 1 } })
    const cut = await watch(`${maps}?watch=true&resourceVersion=${server.context.store.revision}`)
    faultsOf(server).add({ verb: 'watch', times: 1, fault: { type: 'half-open', events: 0 } })
    const silent = await watch(`${maps}?watch=true&resourceVersion=${server.context.store.revision}`)
    await call('POST', maps, map('a'))
    await call('POST', maps, map('b'))
    const seen: string[] = []
    for await (const { object } of cut.events) seen.push((object.metadata as JsonObject)['name'] as string)
    expect(seen).to.deep.equal(['a'])
    const next = silent.events[Symbol.asyncIterator]().next()
    silent.close()
    expect(await next).to.deep.equal({ value: undefined, done: true })
  })
})
