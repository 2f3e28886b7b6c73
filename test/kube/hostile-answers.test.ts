import { expect } from 'chai'
import fc from 'fast-check'
import type { WatchEvent } from '../../src/kube/answers.ts'
import { ApiError, ConnectionError, isTooLargeVersion } from '../../src/kube/api-error.ts'
import { nextWay } from '../../src/kube/list-plan.ts'
import { clientSource, Reflector } from '../../src/kube/reflector.ts'
import { type TokenReviewStatus, verdictOf } from '../../src/kube/token-review.ts'
import { hostileTexts, hostileValues } from '../fakes/hostile-json.ts'
import { failure, type Thing, target, thing, things } from './harness.ts'
import { scripted } from './scripted-client.ts'
import { type Answer, json, stream, until } from './scripted-server.ts'

const valid = {
  ...thing('one', 7, { value: 1 }),
  metadata: {
    ...thing('one', 7).metadata,
    ...{ labels: { app: 'web' }, annotations: { a: 'b' }, finalizers: ['x'], ownerReferences: [{ kind: 'Thing' }] },
  },
}
const list = (items: unknown): object => ({ metadata: { resourceVersion: '9' }, items })

const body =
  (text: string, code = 200): Answer =>
  (response) =>
    void response.writeHead(code, { 'content-type': 'application/json' }).end(text)

/** Expects an answer, or a clear error that names the request. */
async function outcome<Found>(asked: Promise<Found>, path: string): Promise<Found | undefined> {
  try {
    return await asked
  } catch (error) {
    expect(error instanceof ApiError || error instanceof ConnectionError, String(error)).to.equal(true)
    expect(String(error)).to.contain(path)
    return undefined
  }
}

function expectStored({ metadata }: Thing): void {
  expect(metadata.name).to.be.a('string').and.not.equal('')
  expect(metadata.resourceVersion).to.be.a('string').and.not.equal('')
  for (const field of ['namespace', 'uid'] as const) expect(metadata[field] ?? '').to.be.a('string')
  for (const field of ['labels', 'annotations'] as const) expect(metadata[field] ?? {}).to.be.an('object')
  for (const one of metadata.finalizers ?? []) expect(one).to.be.a('string')
  for (const one of metadata.ownerReferences ?? []) expect(one).to.be.an('object')
}

describe('answers of an API server, whatever is in them,', () => {
  const world = scripted()

  it('are an object, or an error that says where it is none', async () => {
    await fc.assert(
      fc.asyncProperty(hostileTexts(valid), async (text) => {
        world.server.script = [body(text)]
        const found = await outcome(world.client.get(things, target), '/things/one')
        if (found !== undefined) expect(found.metadata ?? {}).to.be.an('object')
      }),
      { numRuns: 200 },
    )
    world.server.script = [json({ metadata: { finalizers: 5 } })]
    const error = await failure(world.client.get(things, target))
    expect(error).to.be.instanceOf(ConnectionError).and.include({ code: 'NOT_JSON' })
    expect(String(error)).to.contain('metadata.finalizers')
  })

  it('are a version, or an error', async () => {
    await fc.assert(
      fc.asyncProperty(hostileTexts({ major: '1', minor: '35', gitVersion: 'v1.35.0' }), async (text) => {
        world.server.script = [body(text)]
        const found = await outcome(world.client.version(), '/version')
        for (const one of found === undefined ? [] : [found.major, found.minor, found.gitVersion])
          expect(one).to.be.a('string')
      }),
      { numRuns: 100 },
    )
  })

  it('are a list of objects, with those that are none apart, or an error', async () => {
    const whole = list([valid, { ...valid, metadata: { ...valid.metadata, name: 'two' } }])
    await fc.assert(
      fc.asyncProperty(hostileTexts(whole), async (text) => {
        world.server.script = [body(text)]
        const found = await outcome(world.client.listFit(things), '/things')
        for (const one of found?.items ?? []) expectStored(one)
        for (const { why } of found?.unfit ?? []) expect(why).to.match(/^items\.\d+: /)
      }),
      { numRuns: 200 },
    )
  })

  it('cost a list none of its other objects, and are an error for callers that need all', async () => {
    const items = [valid, null, 5, { metadata: { name: 'x', resourceVersion: 1 } }, thing('two', 8)]
    world.server.otherwise = json(list(items))
    const { items: fit, unfit } = await world.client.listFit(things)
    expect(fit.map(({ metadata }) => metadata.name)).to.deep.equal(['one', 'two'])
    expect(unfit.map(({ key }) => key)).to.deep.equal(['', '', 'x'])
    const error = await failure(world.client.list(things))
    expect(String(error)).to.contain('3 entries of the list are not objects of this kind, such as items.1')
  })

  it('are events of a watch, or end it with an error', async () => {
    const events = fc
      .constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR')
      .chain((type) =>
        hostileTexts({ type, object: type === 'ERROR' ? { kind: 'Status', code: 410, reason: 'Expired' } : valid }),
      )
    await fc.assert(
      fc.asyncProperty(events, async (text) => {
        world.server.script = [stream([text.replaceAll('\n', ' '), '\n'], 'end')]
        const seen: Thing[] = []
        const versions: string[] = []
        const sink = {
          changed: (_: Exclude<WatchEvent<Thing>['type'], 'ERROR' | 'BOOKMARK'>, object: Thing) =>
            void seen.push(object),
          bookmark: (version: string) => void versions.push(version),
        }
        await outcome(world.client.watch(things, {}, sink, new AbortController().signal), '/things')
        for (const one of seen) expectStored(one)
        for (const one of versions) expect(one).to.be.a('string')
      }),
      { numRuns: 200 },
    )
  })

  it('are refusals, with what fits of them', async () => {
    const refusal = {
      ...{ kind: 'Status', code: 504, reason: 'Timeout', message: 'x' },
      details: { retryAfterSeconds: 1, causes: [{ reason: 'ResourceVersionTooLarge' }] },
    }
    await fc.assert(
      fc.asyncProperty(hostileTexts(refusal), fc.constantFrom(403, 410), async (text, code) => {
        world.server.script = [body(text, code)]
        const error = await failure(world.client.get(things, target))
        expect(error).to.be.instanceOf(ApiError)
        const { code: said, reason, retryAfter = 0 } = error as ApiError
        expect(said).to.equal(code)
        expect(reason).to.be.a('string')
        expect(retryAfter).to.be.within(0, 600)
        expect(isTooLargeVersion(error)).to.be.a('boolean')
        expect(nextWay('known', error)).to.be.a('string')
      }),
      { numRuns: 200 },
    )
  })

  it('do not end a reflector, which keeps what it knows of an object that is none', async () => {
    const { server, client } = world
    const said: string[] = []
    const reflector = new Reflector<Thing>({
      source: clientSource(client, things, { namespace: 'default' }),
      timing: { backoffFirst: 1, backoffLongest: 1, healthyAfter: 1e9 },
      observer: { unfit: (count, why) => void said.push(`${count} ${why}`) },
    })
    const isWatch: Answer = (response, seen) => {
      if (seen.query.has('watch')) return stream([], 'hang')(response, seen)
      return json(list([valid, thing('two', 8)]))(response, seen)
    }
    server.script = [
      ...[null, [], 5, { items: {} }, { metadata: { resourceVersion: 5 } }].map((one) => json(one)),
      json({ kind: 'Status', details: { causes: 'x', retryAfterSeconds: 'soon' } }, 504),
      isWatch,
      // The reflector lists again, and `one` is no longer valid.
      stream([`${JSON.stringify({ type: 'MODIFIED', object: { metadata: null } })}\n`], 'hang'),
      json(list([{ metadata: { ...valid.metadata, labels: 5 } }, thing('two', 9)])),
    ]
    server.otherwise = isWatch
    reflector.start()
    await until('a list without one', () => said.length > 0)
    await until('that list', () => reflector.store.get('default/two')?.metadata.resourceVersion === '9')
    expect(said).to.deep.equal(['1 items.0: metadata.labels: Expected object'])
    expect(reflector.store.get('default/one')?.metadata.labels).to.deep.equal({ app: 'web' })
    await reflector.stop()
  })

  it('name the owner of a token, or refuse the token', () => {
    const status = {
      ...{ authenticated: true, audiences: ['varmor'], error: '' },
      user: { username: 'system:serviceaccount:varmor:agent', groups: ['a'], extra: { pod: ['p'] } },
    }
    fc.assert(
      fc.property(hostileValues(status), (value) => {
        const verdict = verdictOf(value as TokenReviewStatus, ['varmor'])
        if ('refused' in verdict) return void expect(verdict.refused).to.be.a('string')
        const { username, groups = [], extra = {} } = verdict.user
        expect(username).to.be.a('string').and.not.equal('')
        for (const one of [...groups, ...Object.values(extra).flat()]) expect(one).to.be.a('string')
      }),
    )
    const within = { ...status, audiences: 'varmor-manager' } as unknown as TokenReviewStatus
    expect(verdictOf(within, ['varmor'])).to.have.property('refused')
  })
})
