import { expect } from 'chai'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { configMap, pod } from './samples.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'

const names = ({ items }: Json): string[] => items.map(({ metadata }: Json) => metadata.name)

/** Lists: pages, versions, selectors. */
export function listing(target: Target): void {
  describe('lists', () => {
    const scope = useScope(target)
    const all = ['a', 'b', 'c', 'd', 'e']
    const query = (text: string): string => `${scope.core('configmaps')}?labelSelector=here&${text}`

    before(async () => {
      for (const [i, name] of all.entries()) {
        const labels = { here: '', tier: i < 2 ? 'front' : 'back', ...(name === 'e' ? { last: 'yes' } : {}) }
        await scope.api.create(scope.core('configmaps'), configMap(name, {}, { labels }))
      }
      await scope.accountReady()
      for (const name of ['one', 'two']) await scope.api.create(scope.core('pods'), pod(name))
    })

    it('is of the kind List, in the order of names, and its items leave out kind and version', async () => {
      const body = await scope.api.read(query(''))
      expect(body).to.include({ kind: 'ConfigMapList', apiVersion: 'v1' })
      expect(names(body)).to.deep.equal(all)
      expect(body.metadata).to.have.all.keys('resourceVersion')
      expect(body.items[0]).not.to.have.any.keys('kind', 'apiVersion')
    })

    it('an empty one has an empty array', async () => {
      expect((await scope.api.read(scope.group('coordination.k8s.io/v1', 'leases'))).items).to.deep.equal([])
    })

    it('of all namespaces is served at the resource without one', async () => {
      const { items } = await scope.api.read('/api/v1/configmaps?labelSelector=here')
      const here = items.filter(({ metadata }: Json) => metadata.namespace === scope.namespace)
      expect(here).to.have.length(all.length)
    })

    it('comes in pages that together are the whole, of one resource version', async () => {
      const pages: Json[] = []
      let token = ''
      do {
        const page = await scope.api.read(query(`limit=2&continue=${token}`))
        pages.push(page)
        token = encodeURIComponent(page.metadata.continue ?? '')
      } while (token !== '')
      expect(pages.map(names)).to.deep.equal([['a', 'b'], ['c', 'd'], ['e']])
      expect(new Set(pages.map(({ metadata }) => metadata.resourceVersion))).to.have.property('size', 1)
      expect(pages.at(-1)!.metadata).not.to.have.any.keys('continue', 'remainingItemCount')
    })

    it('tells how many are left, unless a selector makes that unknown', async () => {
      const { metadata } = await scope.api.read(`${scope.core('pods')}?limit=1`)
      expect(metadata).to.include({ remainingItemCount: 1 })
      expect((await scope.api.read(query('limit=2'))).metadata).not.to.have.property('remainingItemCount')
    })

    it('a page does not see what was created after the first', async () => {
      const path = scope.group('coordination.k8s.io/v1', 'leases')
      const create = (name: string): Promise<Json> => scope.api.create(path, { metadata: { name } })
      for (const name of ['a', 'c']) await create(name)
      const first = await scope.api.read(`${path}?limit=1`)
      await create('b')
      const rest = await scope.api.read(`${path}?limit=5&continue=${encodeURIComponent(first.metadata.continue)}`)
      expect([...names(first), ...names(rest)]).to.deep.equal(['a', 'c'])
      expect(rest.metadata.resourceVersion).to.equal(first.metadata.resourceVersion)
    })

    it('a token that is none is refused', async () => {
      const reply = await scope.api.get(query('limit=2&continue=nonsense'))
      expect(reply.status).to.equal(400)
      expect(reply.body).to.include({ reason: 'BadRequest' })
      expect(reply.body.message).to.match(/^invalid continue token: continue key is not valid: /)
    })

    it('a token of the forgotten past is 410, with one to go on with', async function () {
      const { forgetHistory } = scope.target
      if (forgetHistory === undefined) return this.skip()
      const first = await scope.api.read(query('limit=2'))
      await scope.api.patch('merge', scope.core('configmaps', 'a'), { data: { changed: 'yes' } })
      await forgetHistory()
      const token = encodeURIComponent(first.metadata.continue)
      const reply = await scope.api.get(query(`limit=2&continue=${token}`))
      expectFailure(reply, {
        code: 410,
        reason: 'Expired',
        message:
          'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      })
      const rest = await scope.api.read(query(`limit=9&continue=${encodeURIComponent(reply.body.metadata.continue)}`))
      expect(names(rest)).to.deep.equal(['c', 'd', 'e'])
    })

    describe('resourceVersion', () => {
      let version: string
      before(async () => {
        version = (await scope.api.read(query(''))).metadata.resourceVersion
        await scope.api.create(scope.core('configmaps'), configMap('later', {}, { labels: { here: '' } }))
      })
      after(() => scope.api.delete(scope.core('configmaps', 'later')))

      it('Exact gives the list as it was', async () => {
        const body = await scope.api.read(query(`resourceVersion=${version}&resourceVersionMatch=Exact`))
        expect(body.metadata.resourceVersion).to.equal(version)
        expect(names(body)).to.deep.equal(all)
      })

      it('NotOlderThan gives that one or a newer', async () => {
        const body = await scope.api.read(query(`resourceVersion=${version}&resourceVersionMatch=NotOlderThan`))
        expect(BigInt(body.metadata.resourceVersion) >= BigInt(version)).to.equal(true)
      })

      it('0 gives any', async () => {
        expect(names(await scope.api.read(query('resourceVersion=0')))).to.include.members(all)
      })

      it('none gives the newest', async () => {
        expect(names(await scope.api.read(query('')))).to.include('later')
      })

      for (const [text, message] of [
        ['resourceVersionMatch=Exact', 'resourceVersionMatch is forbidden unless resourceVersion is provided'],
        [
          'resourceVersion=1&resourceVersionMatch=Nearly',
          'resourceVersionMatch: Unsupported value: "Nearly": supported values: "Exact", "NotOlderThan", ""',
        ],
      ] as const) {
        it(`refuses ${text}`, async () => {
          const reply = await scope.api.get(query(text))
          expect(reply.status, reply.text).to.equal(422)
          expect(reply.body.message).to.contain(message)
        })
      }

      it('refuses what is no number', async () => {
        expectFailure(await scope.api.get(query('resourceVersion=old')), {
          code: 400,
          reason: 'BadRequest',
          message: /^invalid resource version: /,
        })
      })

      it('tells a client that is ahead of the server to come back', async () => {
        const future = '9000000000000'
        const reply = await scope.api.get(query(`resourceVersion=${future}&resourceVersionMatch=NotOlderThan`))
        expectFailure(reply, {
          code: 504,
          reason: 'Timeout',
          message: new RegExp(`^Timeout: Too large resource version: ${future}, current: \\d+$`),
        })
        expect(reply.body.details.causes[0].reason).to.equal('ResourceVersionTooLarge')
      })
    })

    for (const [selector, expected] of [
      ['tier=front', ['a', 'b']],
      ['tier==front', ['a', 'b']],
      ['tier!=front', ['c', 'd', 'e']],
      ['tier in (front,middle)', ['a', 'b']],
      ['tier notin (front)', ['c', 'd', 'e']],
      ['last', ['e']],
      ['!last', ['a', 'b', 'c', 'd']],
      ['here,tier=back,!last', ['c', 'd']],
    ] as const) {
      it(`selects by label: ${selector}`, async () => {
        const path = `${scope.core('configmaps')}?labelSelector=${encodeURIComponent(selector)}`
        expect(names(await scope.api.read(path)).filter((name) => all.includes(name))).to.deep.equal(expected)
      })
    }

    it('refuses a label selector that is none', async () => {
      const reply = await scope.api.get(`${scope.core('configmaps')}?labelSelector=${encodeURIComponent('a in b')}`)
      expect(reply.status).to.equal(400)
      expect(reply.body).to.include({ reason: 'BadRequest' })
      expect(reply.body.message).to.match(/^unable to parse requirement: /)
    })

    for (const [resource, selector, expected] of [
      ['configmaps', 'metadata.name=b', ['b']],
      ['configmaps', 'metadata.name!=b,metadata.name!=kube-root-ca.crt', ['a', 'c', 'd', 'e']],
      ['pods', 'status.phase=Pending', ['one', 'two']],
      ['pods', 'status.phase!=Pending', []],
      ['pods', 'spec.nodeName=', ['one', 'two']],
      ['pods', 'metadata.name=two,status.phase=Pending', ['two']],
      ['pods', 'spec.serviceAccountName=default', ['one', 'two']],
    ] as const) {
      it(`selects by field: ${resource} ${selector}`, async () => {
        const body = await scope.api.read(`${scope.core(resource)}?fieldSelector=${encodeURIComponent(selector)}`)
        expect(names(body)).to.deep.equal(expected)
      })
    }

    it('refuses a field that cannot be selected by', async () => {
      expectFailure(await scope.api.get(`${scope.core('pods')}?fieldSelector=spec.hostname%3Da`), {
        code: 400,
        reason: 'BadRequest',
        message: 'field label not supported: spec.hostname',
      })
      expectFailure(await scope.api.get(`${scope.core('configmaps')}?fieldSelector=data.a%3Db`), {
        code: 400,
        reason: 'BadRequest',
        message: '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
      })
    })
  })
}
