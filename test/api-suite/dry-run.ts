import { expect } from 'chai'
import { expectFailure } from './expect-failure.ts'
import { configMap } from './samples.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'

/** `dryRun=All`: the server processes the whole request, but stores nothing. */
export function dryRun(target: Target): void {
  describe('dry run', () => {
    const scope = useScope(target)
    const at = (name?: string): string => scope.core('configmaps', name)
    const dry = 'dryRun=All'
    before(() => scope.api.create(at(), configMap('there', { a: '1' })))
    const unchanged = async (): Promise<void> => {
      expect((await scope.api.read(at('there'))).data).to.deep.equal({ a: '1' })
    }

    it('of a creation answers with the object, without a version, and keeps nothing', async () => {
      const reply = await scope.api.post(`${at()}?${dry}`, configMap('made'))
      expect(reply.status, reply.text).to.equal(201)
      expect(reply.body.metadata.uid).to.be.a('string')
      expect(reply.body.metadata).not.to.have.property('resourceVersion')
      expect((await scope.api.get(at('made'))).status).to.equal(404)
    })

    it('of an invalid creation is refused all the same', async () => {
      expect((await scope.api.post(`${at()}?${dry}`, configMap('Not a name'))).status).to.equal(422)
      expectFailure(await scope.api.post(`${at()}?${dry}`, configMap('there')), {
        code: 409,
        reason: 'AlreadyExists',
        message: 'configmaps "there" already exists',
      })
    })

    it('of a replacement', async () => {
      const reply = await scope.api.put(`${at('there')}?${dry}`, configMap('there', { a: '2' }))
      expect(reply.body.data).to.deep.equal({ a: '2' })
      await unchanged()
    })

    it('of a patch', async () => {
      const reply = await scope.api.patch('merge', `${at('there')}?${dry}`, { data: { b: '2' } })
      expect(reply.body.data).to.deep.equal({ a: '1', b: '2' })
      await unchanged()
    })

    it('of an apply', async () => {
      const reply = await scope.api.apply(at('applied'), 'alice', configMap('applied', { a: '1' }), `&${dry}`)
      expect(reply.status, reply.text).to.equal(201)
      expect((await scope.api.get(at('applied'))).status).to.equal(404)
    })

    it('of a deletion, in the query or in the body', async () => {
      expect((await scope.api.delete(`${at('there')}?${dry}`)).status).to.equal(200)
      expect((await scope.api.delete(at('there'), { dryRun: ['All'] })).status).to.equal(200)
      expect((await scope.api.delete(`${at()}?${dry}`)).status).to.equal(200)
      await unchanged()
    })

    it('knows no other value than All', async () => {
      expectFailure(await scope.api.post(`${at()}?dryRun=Some`, configMap('some')), {
        code: 422,
        reason: 'Invalid',
        message:
          'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
      })
    })
  })
}
