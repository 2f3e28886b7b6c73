import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { definition, definitions, useScope } from './scope.ts'
import type { Target } from './target.ts'

const group = 'definitions.varmor.test'
const text = { type: 'string' }
const object = (properties: Json, rest: Json = {}): Json => ({ type: 'object', properties, ...rest })

/** The content of a CRD, the resources that it adds, and their removal with it. */
export function customResourceDefinitions(target: Target): void {
  describe('custom resource definitions', () => {
    const scope = useScope(target)

    it('take their objects with them', async () => {
      const short = { kind: 'Brief', plural: 'briefs', group, schema: { type: 'object' } }
      const reply = await scope.api.post(definitions, definition(short))
      expect(reply.status, reply.text).to.equal(201)
      const path = scope.group(`${group}/v1`, 'briefs')
      await eventually('it to be served', async () => (await scope.api.get(path)).status === 200)
      await scope.api.create(path, { apiVersion: `${group}/v1`, kind: 'Brief', metadata: { name: 'a' } })
      await scope.api.delete(`${definitions}/briefs.${group}`)
      await eventually('it to be served no more', async () => (await scope.api.get(path)).status === 404)
    })

    describe('are refused', () => {
      const base = { kind: 'Refused', plural: 'refuseds', group, schema: { type: 'object' } }
      const refused: [string, Json, RegExp][] = [
        [
          'whose name is not plural and group',
          { ...definition(base), metadata: { name: 'wrong' } },
          /metadata\.name: Invalid value: "wrong": must be spec\.names\.plural\+"\."\+spec\.group/,
        ],
        [
          'without a schema',
          definition({ ...base, version: { schema: undefined } }),
          /spec\.versions\[0\]\.schema\.openAPIV3Schema: Required value$/,
        ],
        [
          'whose schema has no type',
          definition({ ...base, schema: object({ spec: {} }) }),
          /openAPIV3Schema\.properties\[spec\]\.type: Required value: must not be empty for specified object fields/,
        ],
        [
          'whose rule is no CEL',
          definition({
            ...base,
            schema: object({ a: text }, { 'x-kubernetes-validations': [{ rule: 'self.nothing ==' }] }),
          }),
          /x-kubernetes-validations\[0\]\.rule: Invalid value: .*compilation failed: ERROR: <input>:1:16: Syntax error/s,
        ],
        [
          'whose default does not fit',
          definition({ ...base, schema: object({ a: { ...text, default: 5 } }) }),
          /properties\[a\]\.default: Invalid value: "integer": .*must be of type string: "integer"/,
        ],
        [
          'of a group without a dot',
          definition({ ...base, group: 'single' }),
          /spec\.group: Invalid value: "single": should be a domain with at least one dot/,
        ],
      ]
      for (const [title, body, message] of refused) {
        it(title, async () =>
          expectFailure(await scope.api.post(definitions, body), { code: 422, reason: 'Invalid', message }),
        )
      }
    })
  })
}
