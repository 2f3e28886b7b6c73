import { expect } from 'chai'
import { applyStrategicMergePatch } from '../../../src/sandbox/api-server/patch/strategic-merge-patch.ts'
import { builtInSchema } from '../../../src/sandbox/api-server/schema/built-in-kinds.ts'
import { clone, type JsonObject } from '../../../src/sandbox/api-server/schema/json.ts'
import type { OpenApiSchema } from '../../../src/sandbox/api-server/schema/open-api-schema.ts'
import { ApiStatusError } from '../../../src/sandbox/api-server/status.ts'

const pod = builtInSchema('v1', 'Pod') as OpenApiSchema
const deployment = builtInSchema('apps/v1', 'Deployment') as OpenApiSchema
const spec = (spec: JsonObject): JsonObject => ({ spec })

function refusal(target: JsonObject, patch: JsonObject, schema = pod): ApiStatusError {
  try {
    applyStrategicMergePatch(target, patch, schema)
  } catch (error) {
    if (error instanceof ApiStatusError) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('sandbox/patch/strategic-merge-patch', () => {
  const two = spec({
    containers: [
      { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
      { name: 'b', image: '1' },
    ],
  })
  const rows: { title: string; schema?: OpenApiSchema; target: JsonObject; patch: JsonObject; wanted: JsonObject }[] = [
    {
      title: 'merges containers by name and keeps the others',
      target: two,
      patch: spec({ containers: [{ name: 'b', image: '2' }] }),
      wanted: spec({
        containers: [
          { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
          { name: 'b', image: '2' },
        ],
      }),
    },
    {
      title: 'merges the environment inside a container, what is new first',
      target: two,
      patch: spec({ containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] }),
      wanted: spec({
        containers: [
          {
            name: 'a',
            image: '1',
            env: [
              { name: 'Y', value: '2' },
              { name: 'X', value: '1' },
            ],
          },
          { name: 'b', image: '1' },
        ],
      }),
    },
    {
      title: 'deletes an item with $patch: delete',
      target: two,
      patch: spec({ containers: [{ name: 'a', $patch: 'delete' }] }),
      wanted: spec({ containers: [{ name: 'b', image: '1' }] }),
    },
    {
      title: 'replaces a list with $patch: replace',
      target: two,
      patch: spec({ containers: [{ $patch: 'replace' }, { name: 'c', image: '3' }] }),
      wanted: spec({ containers: [{ name: 'c', image: '3' }] }),
    },
    {
      title: 'orders with $setElementOrder',
      target: two,
      patch: spec({
        '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }, { name: 'c' }],
        containers: [{ name: 'c', image: '3' }],
      }),
      wanted: spec({
        containers: [
          { name: 'b', image: '1' },
          { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
          { name: 'c', image: '3' },
        ],
      }),
    },
    {
      title: 'orders without a change',
      target: two,
      patch: spec({ '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] }),
      wanted: spec({
        containers: [
          { name: 'b', image: '1' },
          { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
        ],
      }),
    },
    {
      title: 'replaces a list without a merge key',
      target: spec({ containers: [{ name: 'a', args: ['1', '2'] }] }),
      patch: spec({ containers: [{ name: 'a', args: ['3'] }] }),
      wanted: spec({ containers: [{ name: 'a', args: ['3'] }] }),
    },
    {
      title: 'merges lists of texts, and deletes from them',
      target: { metadata: { finalizers: ['a', 'b'] } },
      patch: { metadata: { finalizers: ['c'], '$deleteFromPrimitiveList/finalizers': ['a'] } },
      wanted: { metadata: { finalizers: ['c', 'b'] } },
    },
    {
      title: 'removes a label with null, and does not mind one that is not there',
      target: { metadata: { labels: { a: '1', b: '2' } } },
      patch: { metadata: { labels: { a: null, z: null, c: '3' } } },
      wanted: { metadata: { labels: { b: '2', c: '3' } } },
    },
    {
      title: 'clears other fields with $retainKeys',
      schema: deployment,
      target: spec({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } }),
      patch: spec({ strategy: { $retainKeys: ['type'], type: 'Recreate' } }),
      wanted: spec({ strategy: { type: 'Recreate' } }),
    },
    {
      title: 'replaces a map with $patch: replace and empties it with $patch: delete',
      target: { metadata: { labels: { a: '1' }, annotations: { b: '2' } } },
      patch: { metadata: { labels: { $patch: 'replace', c: '3' }, annotations: { $patch: 'delete' } } },
      wanted: { metadata: { labels: { c: '3' }, annotations: {} } },
    },
    {
      title: 'takes directives and nulls out of what is new',
      target: {},
      patch: spec({
        containers: [
          { name: 'a', image: null },
          { name: 'b', $patch: 'delete' },
        ],
      }),
      wanted: spec({ containers: [{ name: 'a' }] }),
    },
  ]
  for (const { title, schema = pod, target, patch, wanted } of rows)
    it(title, () => {
      const before = [clone(target), clone(patch)]
      const patched = applyStrategicMergePatch(target, patch, schema)
      expect(patched).to.deep.equal(wanted)
      expect([target, patch], 'its arguments stay as they are').to.deep.equal(before)
    })

  const refusals: [string, number, string, JsonObject][] = [
    [
      'an item without its key',
      400,
      'an item of the patch does not contain the declared merge key: name',
      spec({ containers: [{ image: '2' }] }),
    ],
    ['an unknown directive', 500, 'unknown patch type: burn', spec({ $patch: 'burn' })],
  ]
  for (const [title, code, text, patch] of refusals)
    it(`refuses ${title}`, () => {
      const error = refusal(two, patch)
      expect([error.status.code, error.message]).to.deep.equal([code, text])
    })
})
