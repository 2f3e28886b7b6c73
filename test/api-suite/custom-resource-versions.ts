import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { definition, definitions, useScope } from './scope.ts'
import type { Target } from './target.ts'

const group = 'versions.varmor.test'
const text = { type: 'string' }
const version = (name: string, rest: Json): Json => ({
  name,
  served: true,
  storage: false,
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { a: text } } } } },
  ...rest,
})

/** Changes of a kind when its CRD changes. */
export function customResourceVersions(target: Target): void {
  describe('changes of custom resource definitions', () => {
    const scope = useScope(target)
    const at = (name: string, object?: string): string => scope.group(`${group}/${name}`, 'versioneds', object)
    const own = `${definitions}/versioneds.${group}`

    before(async () => {
      const crd = definition({ kind: 'Versioned', plural: 'versioneds', group, schema: {} })
      crd.spec.versions = [version('v1', { storage: true }), version('v1beta1', {})]
      scope.atEnd(() => scope.api.delete(own))
      await scope.api.create(definitions, crd)
      await eventually('it to be served', async () => (await scope.api.get(at('v1'))).status === 200)
    })
    const object = (apiVersion: string, name: string): Json => ({
      apiVersion: `${group}/${apiVersion}`,
      kind: 'Versioned',
      metadata: { name },
      spec: { a: 'x' },
    })

    it('a new field of the schema is taken as soon as the definition has it', async () => {
      const change = [
        { op: 'add', path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/b', value: text },
      ]
      const reply = await scope.api.patch('json', own, change)
      expect(reply.status, reply.text).to.equal(200)
      expect(reply.body.metadata.generation).to.equal(2)
      const body = { ...object('v1', 'two'), spec: { b: 'y' } }
      await eventually('the new schema', async () => {
        const { body: made } = await scope.api.post(`${at('v1')}?dryRun=All`, body)
        return made.spec?.b === 'y'
      })
    })

    it('the stored version cannot be removed from a definition', async () => {
      const reply = await scope.api.patch('json', own, [
        { op: 'replace', path: '/spec/versions/1/storage', value: true },
        { op: 'remove', path: '/spec/versions/0' },
      ])
      expectFailure(reply, {
        code: 422,
        reason: 'Invalid',
        message:
          /status\.storedVersions\[0\]: Invalid value: "v1": (missing from spec\.versions; )?(must appear|v1 was previously a storage version)/,
      })
    })

    it('the scope cannot be changed', async () => {
      const reply = await scope.api.patch('merge', own, { spec: { scope: 'Cluster' } })
      expectFailure(reply, {
        code: 422,
        reason: 'Invalid',
        message: /spec\.scope: Invalid value: "Cluster": field is immutable/,
      })
    })
  })
}
