import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { configMap, deployment, pod } from './samples.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'

/** Ways in which objects end: finalizers, grace periods, owners, collections, namespaces. */
export function deletion(target: Target): void {
  describe('deletion', () => {
    const scope = useScope(target)
    const at = (name?: string): string => scope.core('configmaps', name)
    const isGone = async (path: string): Promise<boolean> => (await scope.api.get(path)).status === 404
    const gone = (path: string): Promise<boolean> => eventually(`${path} to go`, () => isGone(path))
    const release = (path: string): Promise<unknown> =>
      scope.api.patch('merge', path, { metadata: { finalizers: null } })
    const ownedBy = (owner: Json, rest: Json = {}): Json => ({
      ownerReferences: [
        { apiVersion: 'v1', kind: 'ConfigMap', name: owner.metadata.name, uid: owner.metadata.uid, ...rest },
      ],
    })
    before(() => scope.accountReady())

    it('waits for finalizers, and is marked meanwhile', async () => {
      const created = await scope.api.create(at(), configMap('held', {}, { finalizers: ['varmor.test/hold'] }))
      const reply = await scope.api.delete(at('held'))
      expect(reply.status).to.equal(200)
      expect(reply.body).to.include({ kind: 'ConfigMap' })
      const { metadata } = await scope.api.read(at('held'))
      expect(metadata.deletionTimestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect(metadata.deletionGracePeriodSeconds).to.equal(0)
      expect(metadata.uid).to.equal(created.metadata.uid)
      expect(BigInt(metadata.resourceVersion) > BigInt(created.metadata.resourceVersion)).to.equal(true)
      const again = await scope.api.delete(at('held'))
      expect(again.body.metadata.deletionTimestamp).to.equal(metadata.deletionTimestamp)
      await release(at('held'))
      expect(await isGone(at('held'))).to.equal(true)
    })

    it('the last finalizer to go takes the object with it, in the answer to that very update', async () => {
      await scope.api.create(at(), configMap('last', {}, { finalizers: ['varmor.test/a', 'varmor.test/b'] }))
      await scope.api.delete(at('last'))
      const patch = { metadata: { finalizers: ['varmor.test/b'] } }
      expect((await scope.api.patch('merge', at('last'), patch)).body.metadata.finalizers).to.deep.equal([
        'varmor.test/b',
      ])
      expect(await isGone(at('last'))).to.equal(false)
      const reply = await scope.api.patch('json', at('last'), [{ op: 'remove', path: '/metadata/finalizers' }])
      expect(reply.status).to.equal(200)
      expect(await isGone(at('last'))).to.equal(true)
    })

    it('no finalizer can be added while it waits', async () => {
      await scope.api.create(at(), configMap('ending', {}, { finalizers: ['varmor.test/a'] }))
      await scope.api.delete(at('ending'))
      const more = { metadata: { finalizers: ['varmor.test/a', 'varmor.test/b'] } }
      expectFailure(await scope.api.patch('merge', at('ending'), more), {
        code: 422,
        reason: 'Invalid',
        message:
          'ConfigMap "ending" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"varmor.test/b"}',
      })
      await release(at('ending'))
    })

    it('a finalizer needs a domain', async () => {
      const reply = await scope.api.post(at(), configMap('domain', {}, { finalizers: ['plain'] }))
      expect(reply.status).to.equal(422)
      expect(reply.body.message).to.match(
        /^ConfigMap "domain" is invalid: metadata\.finalizers\[0\]: Invalid value: "plain": name is neither a standard finalizer name nor is it fully qualified/,
      )
    })

    it('an object goes when its owner has gone', async () => {
      const owner = await scope.api.create(at(), configMap('owner'))
      await scope.api.create(at(), configMap('owned', {}, ownedBy(owner)))
      await scope.api.delete(at('owner'))
      await gone(at('owned'))
    })

    it('an object stays as long as one of its owners is there', async () => {
      const [one, two] = [
        await scope.api.create(at(), configMap('one')),
        await scope.api.create(at(), configMap('two')),
      ]
      const ownerReferences = [...ownedBy(one).ownerReferences, ...ownedBy(two).ownerReferences]
      await scope.api.create(at(), configMap('common', {}, { ownerReferences }))
      await scope.api.delete(at('one'))
      await eventually('the first owner to be forgotten', async () => {
        const { metadata } = await scope.api.read(at('common'))
        return metadata.ownerReferences.length === 1
      })
      await scope.api.delete(at('two'))
      await gone(at('common'))
    })

    it('an owner of another uid is no owner: the object goes', async () => {
      const owner = await scope.api.create(at(), configMap('impostor'))
      owner.metadata.uid = '00000000-0000-4000-8000-000000000000'
      await scope.api.create(at(), configMap('orphaned', {}, ownedBy(owner)))
      await gone(at('orphaned'))
    })

    it('Orphan leaves what it owned, without the reference', async () => {
      const owner = await scope.api.create(at(), configMap('parent'))
      await scope.api.create(at(), configMap('child', {}, ownedBy(owner)))
      await scope.api.delete(at('parent'), { propagationPolicy: 'Orphan' })
      await gone(at('parent'))
      expect((await scope.api.read(at('child'))).metadata).not.to.have.property('ownerReferences')
    })

    it('Foreground keeps the owner until what blocks it has gone', async () => {
      const owner = await scope.api.create(at(), configMap('front'))
      const metadata = { ...ownedBy(owner, { blockOwnerDeletion: true }), finalizers: ['varmor.test/hold'] }
      await scope.api.create(at(), configMap('blocker', {}, metadata))
      const reply = await scope.api.delete(at('front'), { propagationPolicy: 'Foreground' })
      expect(reply.body.metadata.finalizers).to.deep.equal(['foregroundDeletion'])
      await eventually('the blocker to be deleted', async () => {
        const { metadata } = await scope.api.read(at('blocker'))
        return metadata.deletionTimestamp !== undefined
      })
      expect(await isGone(at('front'))).to.equal(false)
      await release(at('blocker'))
      await gone(at('front'))
    })

    it('the policy may be in the query', async () => {
      await scope.api.create(at(), configMap('query', {}, { finalizers: ['varmor.test/hold'] }))
      const { body } = await scope.api.delete(`${at('query')}?propagationPolicy=Foreground`)
      expect(body.metadata.finalizers).to.have.members(['foregroundDeletion', 'varmor.test/hold'])
      await release(at('query'))
    })

    it('an unknown policy is refused', async () => {
      await scope.api.create(at(), configMap('policy'))
      expectFailure(await scope.api.delete(at('policy'), { propagationPolicy: 'Sideways' }), {
        code: 422,
        reason: 'Invalid',
        message: /^DeleteOptions\.meta\.k8s\.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": /,
      })
    })

    it('a deployment takes its replica sets and pods with it', async () => {
      const path = scope.group('apps/v1', 'deployments')
      await scope.api.create(path, deployment('tree', 2))
      const pods = `${scope.core('pods')}?labelSelector=app%3Dtree`
      await eventually('two pods', async () => (await scope.api.read(pods)).items.length === 2)
      await scope.api.delete(`${path}/tree`)
      await eventually('no pods', async () => (await scope.api.read(pods)).items.length === 0)
      const sets = `${scope.group('apps/v1', 'replicasets')}?labelSelector=app%3Dtree`
      expect((await scope.api.read(sets)).items).to.deep.equal([])
    })

    it('a pod on a node gets its grace, and goes at once without any', async () => {
      const placed = pod('graceful')
      placed.spec.nodeName = 'nobody'
      placed.spec.nodeSelector = undefined
      placed.spec.terminationGracePeriodSeconds = 30
      await scope.api.create(scope.core('pods'), placed)
      const { body } = await scope.api.delete(scope.core('pods', 'graceful'))
      expect(body.metadata).to.include({ deletionGracePeriodSeconds: 30 })
      expect(body.metadata.deletionTimestamp).to.be.a('string')
      expect(await isGone(scope.core('pods', 'graceful'))).to.equal(false)
      await scope.api.delete(scope.core('pods', 'graceful'), { gracePeriodSeconds: 0 })
      expect(await isGone(scope.core('pods', 'graceful'))).to.equal(true)
    })

    it('a pod on no node goes at once', async () => {
      const unplaced = pod('unplaced')
      unplaced.spec.terminationGracePeriodSeconds = 30
      await scope.api.create(scope.core('pods'), unplaced)
      await scope.api.delete(scope.core('pods', 'unplaced'))
      expect(await isGone(scope.core('pods', 'unplaced'))).to.equal(true)
    })

    it('a collection is deleted by its selector', async () => {
      for (const [name, team] of [
        ['x1', 'x'],
        ['x2', 'x'],
        ['y1', 'y'],
      ] as const) {
        await scope.api.create(at(), configMap(name, {}, { labels: { team } }))
      }
      const reply = await scope.api.delete(`${at()}?labelSelector=team%3Dx`)
      expect(reply.status).to.equal(200)
      expect(reply.body).to.include({ kind: 'ConfigMapList' })
      expect(reply.body.items.map(({ metadata }: Json) => metadata.name)).to.deep.equal(['x1', 'x2'])
      const left = await scope.api.read(`${at()}?labelSelector=team`)
      expect(left.items.map(({ metadata }: Json) => metadata.name)).to.deep.equal(['y1'])
    })

    it('a namespace ends with all that is in it, and takes nothing new', async () => {
      const { metadata } = await scope.api.create('/api/v1/namespaces', { metadata: { generateName: 'ending-' } })
      const path = `/api/v1/namespaces/${metadata.name}`
      await scope.api.create(`${path}/configmaps`, configMap('held', {}, { finalizers: ['varmor.test/hold'] }))
      const reply = await scope.api.delete(path)
      expect(reply.body.status.phase).to.equal('Terminating')
      const refused = await scope.api.post(`${path}/configmaps`, configMap('late'))
      const why = `unable to create new content in namespace ${metadata.name} because it is being terminated`
      expectFailure(refused, {
        code: 403,
        reason: 'Forbidden',
        message: `configmaps "late" is forbidden: ${why}`,
        details: {
          name: 'late',
          kind: 'configmaps',
          causes: [
            {
              reason: 'NamespaceTerminating',
              message: `namespace ${metadata.name} is being terminated`,
              field: 'metadata.namespace',
            },
          ],
        },
      })
      await eventually('its content to be deleted', async () => {
        const held = await scope.api.read(`${path}/configmaps/held`)
        return held.metadata.deletionTimestamp !== undefined
      })
      await release(`${path}/configmaps/held`)
      await gone(path)
    })

    it('the namespace default cannot be deleted', async () => {
      expectFailure(await scope.api.delete('/api/v1/namespaces/default'), {
        code: 403,
        reason: 'Forbidden',
        message: 'namespaces "default" is forbidden: this namespace may not be deleted',
      })
    })
  })
}
