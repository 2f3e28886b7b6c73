import { expect } from 'chai'
import { expectFailure } from './expect-failure.ts'
import { configMap, lease, pod } from './samples.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'
import { brief, type WatchEvent, type WatchStream } from './watch-stream.ts'

/** Watches: existing objects, new events, and the version at which a watch resumes. */
export function watching(target: Target): void {
  describe('watches', () => {
    const scope = useScope(target)
    const open: WatchStream[] = []
    const maps = (query: string): string => `${scope.core('configmaps')}?watch=true&labelSelector=seen&${query}`
    const seen = { labels: { seen: '' } }

    async function watch(path: string): Promise<WatchStream> {
      const stream = await scope.api.watch(path)
      open.push(stream)
      return stream
    }
    const now = async (): Promise<string> => (await scope.api.read(scope.core('configmaps'))).metadata.resourceVersion

    before(() => scope.api.create(scope.core('configmaps'), configMap('first', {}, seen)))
    afterEach(() => {
      for (const stream of open.splice(0)) stream.close()
    })

    it('without a version, begins with what is there', async () => {
      const stream = await watch(maps(''))
      expect(stream.status).to.equal(200)
      const [event] = await stream.take(1)
      expect(brief(event!)).to.equal('ADDED first')
      expect(event!.object).to.include({ kind: 'ConfigMap', apiVersion: 'v1' })
    })

    it('from a version, tells each later change once and in order', async () => {
      const path = scope.core('configmaps')
      const stream = await watch(maps(`resourceVersion=${await now()}`))
      const created = await scope.api.create(path, configMap('life', {}, seen))
      const { body } = await scope.api.patch('merge', `${path}/life`, { data: { a: '1' } })
      await scope.api.delete(`${path}/life`)
      const events = await stream.take(3)
      expect(events.map(brief)).to.deep.equal(['ADDED life', 'MODIFIED life', 'DELETED life'])
      expect(events[0]!.object).to.deep.equal(created)
      expect(events[1]!.object).to.deep.equal(body)
      // A deletion shows the object's last state, under the version of the deletion.
      const last = events[2]!.object
      expect(last.data).to.deep.equal({ a: '1' })
      expect(BigInt(last.metadata.resourceVersion) > BigInt(body.metadata.resourceVersion)).to.equal(true)
    })

    it('from an old version, begins with what has happened since', async () => {
      const path = scope.core('configmaps')
      const version = await now()
      await scope.api.create(path, configMap('missed', {}, seen))
      await scope.api.delete(`${path}/missed`)
      const stream = await watch(maps(`resourceVersion=${version}`))
      expect((await stream.take(2)).map(brief)).to.deep.equal(['ADDED missed', 'DELETED missed'])
    })

    it('an object that comes to match a selector is added, and one that ceases to is deleted', async () => {
      const path = scope.core('configmaps')
      await scope.api.create(path, configMap('joins'))
      const stream = await watch(maps(`resourceVersion=${await now()}`))
      await scope.api.patch('merge', `${path}/joins`, { metadata: { labels: { seen: '' } } })
      await scope.api.patch('merge', `${path}/joins`, { metadata: { labels: { seen: null } } })
      const events = await stream.take(2)
      expect(events.map(brief)).to.deep.equal(['ADDED joins', 'DELETED joins'])
      // The event shows the object as it was when it still matched.
      expect(events[1]!.object.metadata.labels).to.deep.equal({ seen: '' })
    })

    it('of one object, by the selector of its name', async () => {
      const path = scope.core('configmaps')
      const selector = 'fieldSelector=metadata.name%3Dchosen'
      const stream = await watch(`${path}?watch=1&${selector}&resourceVersion=${await now()}`)
      for (const name of ['ignored', 'chosen']) await scope.api.create(path, configMap(name))
      expect((await stream.take(1)).map(brief)).to.deep.equal(['ADDED chosen'])
    })

    it('of all namespaces', async () => {
      const stream = await watch(`/api/v1/configmaps?watch=true&resourceVersion=${await now()}`)
      await scope.api.create(scope.core('configmaps'), configMap('anywhere'))
      await stream.until((event) => brief(event) === 'ADDED anywhere')
    })

    it('of pods, by the node they are on', async () => {
      await scope.accountReady()
      const { metadata } = await scope.api.read(scope.core('pods'))
      const query = `watch=1&fieldSelector=spec.nodeName%3Dhere&resourceVersion=${metadata.resourceVersion}`
      const stream = await watch(`${scope.core('pods')}?${query}`)
      await scope.api.create(scope.core('pods'), pod('unplaced'))
      const placed = pod('placed')
      placed.spec.nodeName = 'here'
      placed.spec.nodeSelector = undefined
      await scope.api.create(scope.core('pods'), placed)
      expect((await stream.take(1)).map(brief)).to.deep.equal(['ADDED placed'])
    })

    it('ends after timeoutSeconds', async () => {
      const stream = await watch(maps(`resourceVersion=${await now()}&timeoutSeconds=1`))
      expect(await stream.next()).to.equal(undefined)
    })

    it('a bookmark before its end tells how far it was, if allowed', async () => {
      const path = scope.core('configmaps')
      const stream = await watch(maps(`resourceVersion=${await now()}&timeoutSeconds=4&allowWatchBookmarks=true`))
      const { metadata } = await scope.api.create(path, configMap('unseen'))
      const events: WatchEvent[] = []
      for (let event = await stream.next(); event !== undefined; event = await stream.next()) events.push(event)
      expect(events.map(brief)).to.include('BOOKMARK')
      const { object } = events.at(-1)!
      expect(object).to.include({ kind: 'ConfigMap', apiVersion: 'v1' })
      expect(Object.keys(object.metadata)).to.deep.equal(['resourceVersion'])
      expect(BigInt(object.metadata.resourceVersion) >= BigInt(metadata.resourceVersion)).to.equal(true)
    })

    it('with sendInitialEvents, begins with what is there and marks the end of that', async () => {
      const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
      const stream = await watch(maps(query))
      const events = await stream.until(({ type }) => type === 'BOOKMARK')
      expect(events.map(brief)).to.deep.equal(['ADDED first', 'BOOKMARK'])
      const { object } = events.at(-1)!
      expect(object.metadata.annotations).to.deep.equal({ 'k8s.io/initial-events-end': 'true' })
      await scope.api.create(scope.core('configmaps'), configMap('after', {}, seen))
      // By then a slow server has sent another bookmark.
      const next = (await stream.until(({ type }) => type !== 'BOOKMARK')).at(-1)!
      expect(brief(next)).to.equal('ADDED after')
      await scope.api.delete(scope.core('configmaps', 'after'))
    })

    it('refuses sendInitialEvents without the match', async () => {
      const reply = await scope.api.get(maps('sendInitialEvents=true'))
      expect(reply.status, reply.text).to.equal(422)
      expect(reply.body.message).to.contain(
        'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      )
    })

    it('from a version that is too old is 410, as an event', async () => {
      const stream = await watch(maps('resourceVersion=1'))
      expect(stream.status).to.equal(200)
      const event = await stream.next()
      expect(event!.type).to.equal('ERROR')
      const { message, ...rest } = event!.object
      expect(rest).to.deep.equal({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        reason: 'Expired',
        code: 410,
      })
      expect(message).to.match(/^too old resource version: 1 \(\d+\)$/)
      expect(await stream.next()).to.equal(undefined)
    })

    it('from a version that the server has forgotten is 410', async function () {
      const { forgetHistory } = scope.target
      if (forgetHistory === undefined) return this.skip()
      const path = scope.group('coordination.k8s.io/v1', 'leases')
      const { metadata } = await scope.api.create(path, lease('first'))
      for (const name of ['second', 'third']) await scope.api.create(path, lease(name))
      await forgetHistory()
      const stream = await watch(`${path}?watch=true&resourceVersion=${metadata.resourceVersion}`)
      const event = await stream.next()
      expect(event).to.have.property('type', 'ERROR')
      expect(event!.object).to.include({ code: 410, reason: 'Expired' })
    })

    it('refuses a selector by an unknown field', async () => {
      expectFailure(await scope.api.get(`${scope.core('pods')}?watch=true&fieldSelector=spec.hostname%3Da`), {
        code: 400,
        reason: 'BadRequest',
        message: 'field label not supported: spec.hostname',
      })
    })
  })
}
