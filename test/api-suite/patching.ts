import { expect } from 'chai'
import type { Json, PatchType } from './api.ts'
import { expectFailure, type Failure } from './expect-failure.ts'
import { configMap, deployment } from './samples.ts'
import { useKind, useScope } from './scope.ts'
import type { Target } from './target.ts'

interface Row {
  title: string
  type: PatchType
  patch: Json
  read: (object: Json) => unknown
  gives: unknown
}

const containers = ({ spec }: Json): string[] => spec.template.spec.containers.map(({ name }: Json) => name)
const env = ({ spec }: Json): Json => spec.template.spec.containers[0].env
const template = (spec: Json): Json => ({ spec: { template: { spec } } })
const main = (rest: Json): Json => template({ containers: [{ name: 'main', ...rest }] })

/** Each patch starts from a map with a, b and from a deployment with the containers main (variables A, B) and side. */
const mapRows: Row[] = [
  {
    title: 'a JSON patch adds, replaces and removes',
    type: 'json',
    patch: [
      { op: 'add', path: '/data/c', value: '3' },
      { op: 'replace', path: '/data/a', value: '9' },
      { op: 'remove', path: '/data/b' },
    ],
    read: ({ data }) => data,
    gives: { a: '9', c: '3' },
  },
  {
    title: 'a JSON patch tests, copies and moves',
    type: 'json',
    patch: [
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'copy', from: '/data/a', path: '/data/c' },
      { op: 'move', from: '/data/b', path: '/data/d' },
    ],
    read: ({ data }) => data,
    gives: { a: '1', c: '1', d: '2' },
  },
  {
    title: 'a JSON patch escapes / and ~ in names',
    type: 'json',
    patch: [
      { op: 'add', path: '/metadata/annotations', value: {} },
      { op: 'add', path: '/metadata/annotations/x.test~1a', value: 'v' },
    ],
    read: ({ metadata }) => metadata.annotations,
    gives: { 'x.test/a': 'v' },
  },
  {
    title: 'a merge patch sets, and removes by null',
    type: 'merge',
    patch: { data: { a: '9', b: null } },
    read: ({ data }) => data,
    gives: { a: '9' },
  },
  {
    title: 'a strategic merge patch does so as well',
    type: 'strategic',
    patch: { data: { a: '9', b: null } },
    read: ({ data }) => data,
    gives: { a: '9' },
  },
  {
    title: 'a strategic merge patch replaces a map that says so',
    type: 'strategic',
    patch: { data: { $patch: 'replace', z: '1' } },
    read: ({ data }) => data,
    gives: { z: '1' },
  },
]

const deploymentRows: Row[] = [
  {
    title: 'a merge patch replaces a list',
    type: 'merge',
    patch: template({ containers: [{ name: 'only', image: 'x' }] }),
    read: containers,
    gives: ['only'],
  },
  {
    title: 'a strategic merge patch merges a list by its key',
    type: 'strategic',
    patch: template({ containers: [{ name: 'new', image: 'x' }] }),
    read: containers,
    gives: ['new', 'main', 'side'],
  },
  {
    title: 'a strategic merge patch merges within an item',
    type: 'strategic',
    patch: main({ env: [{ name: 'B', value: '9' }] }),
    read: env,
    gives: [
      { name: 'A', value: '1' },
      { name: 'B', value: '9' },
    ],
  },
  {
    title: 'a strategic merge patch deletes an item',
    type: 'strategic',
    patch: template({ containers: [{ name: 'side', $patch: 'delete' }] }),
    read: containers,
    gives: ['main'],
  },
  {
    title: 'a strategic merge patch orders a list',
    type: 'strategic',
    patch: template({ '$setElementOrder/containers': [{ name: 'side' }, { name: 'main' }] }),
    read: containers,
    gives: ['side', 'main'],
  },
  {
    title: 'a strategic merge patch replaces a list that says so',
    type: 'strategic',
    patch: template({ containers: [{ $patch: 'replace' }, { name: 'only', image: 'x' }] }),
    read: containers,
    gives: ['only'],
  },
  {
    title: 'a strategic merge patch keeps only the keys that it retains',
    type: 'strategic',
    patch: { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    read: ({ spec }) => spec.strategy,
    gives: { type: 'Recreate' },
  },
  {
    title: 'a JSON patch appends to a list',
    type: 'json',
    patch: [{ op: 'add', path: '/spec/template/spec/containers/-', value: { name: 'last', image: 'x' } }],
    read: containers,
    gives: ['main', 'side', 'last'],
  },
  {
    title: 'a JSON patch inserts into a list',
    type: 'json',
    patch: [{ op: 'add', path: '/spec/template/spec/containers/1', value: { name: 'middle', image: 'x' } }],
    read: containers,
    gives: ['main', 'middle', 'side'],
  },
]

interface Refusal {
  title: string
  type: PatchType
  patch: Json
  failure: Failure
}

const refusals: Refusal[] = [
  {
    title: 'a JSON patch whose test fails',
    type: 'json',
    patch: [{ op: 'test', path: '/data/a', value: '2' }],
    failure: {
      code: 422,
      reason: 'Invalid',
      message: 'the server rejected our request due to an error in our request',
    },
  },
  {
    title: 'a JSON patch that removes what is not there',
    type: 'json',
    patch: [{ op: 'remove', path: '/data/zzz' }],
    failure: {
      code: 422,
      reason: 'Invalid',
      message: 'the server rejected our request due to an error in our request',
    },
  },
  {
    title: 'a JSON patch that is no array',
    type: 'json',
    patch: { op: 'remove' },
    failure: { code: 400, reason: 'BadRequest', message: /^error decoding patch: / },
  },
  {
    title: 'a merge patch that is no object',
    type: 'merge',
    patch: [1],
    failure: { code: 400, reason: 'BadRequest', message: /./ },
  },
  {
    title: 'a patch that renames',
    type: 'merge',
    patch: { metadata: { name: 'other' } },
    failure: {
      code: 400,
      reason: 'BadRequest',
      message: 'the name of the object (other) does not match the name on the URL (refused)',
    },
  },
  {
    title: 'a patch to something invalid',
    type: 'merge',
    patch: { data: { 'not a key': '' } },
    failure: {
      code: 422,
      reason: 'Invalid',
      message: /^ConfigMap "refused" is invalid: data\[not a key\]: Invalid value: /,
    },
  },
]

/** The three kinds of patches. The fourth kind, server-side apply, has its own topic. */
export function patching(target: Target): void {
  describe('patches', () => {
    const scope = useScope(target)
    const group = 'patching.varmor.test'
    useKind(scope, {
      kind: 'Patched',
      plural: 'patcheds',
      group,
      schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    })

    for (const { title, type, patch, read, gives } of mapRows) {
      it(title, async () => {
        const { metadata } = await scope.api.create(scope.core('configmaps'), {
          metadata: { generateName: 'map-' },
          data: { a: '1', b: '2' },
        })
        const reply = await scope.api.patch(type, scope.core('configmaps', metadata.name), patch)
        expect(reply.status, reply.text).to.equal(200)
        expect(read(reply.body)).to.deep.equal(gives)
        expect(read(await scope.api.read(scope.core('configmaps', metadata.name)))).to.deep.equal(gives)
      })
    }

    for (const [i, { title, type, patch, read, gives }] of deploymentRows.entries()) {
      it(title, async () => {
        const name = `deployment-${i}`
        const body = deployment(name, 0)
        const variables = { A: '1', B: '2' }
        body.spec.template.spec.containers[0].env = Object.entries(variables).map(([name, value]) => ({ name, value }))
        body.spec.template.spec.containers.push({ name: 'side', image: 'x' })
        await scope.api.create(scope.group('apps/v1', 'deployments'), body)
        const reply = await scope.api.patch(type, scope.group('apps/v1', 'deployments', name), patch)
        expect(reply.status, reply.text).to.equal(200)
        expect(read(reply.body)).to.deep.equal(gives)
      })
    }

    describe('refuses', () => {
      before(() => scope.api.create(scope.core('configmaps'), configMap('refused', { a: '1' })))

      for (const { title, type, patch, failure } of refusals) {
        it(title, async () => {
          expectFailure(await scope.api.patch(type, scope.core('configmaps', 'refused'), patch), failure)
          expect((await scope.api.read(scope.core('configmaps', 'refused'))).data).to.deep.equal({ a: '1' })
        })
      }

      it('any patch of what is not there', async () => {
        expectFailure(await scope.api.patch('merge', scope.core('configmaps', 'gone'), {}), {
          code: 404,
          reason: 'NotFound',
          message: 'configmaps "gone" not found',
        })
      })

      it('a patch in an unknown format', async () => {
        const headers = { 'content-type': 'application/json' }
        expectFailure(await scope.api.patch('merge', scope.core('configmaps', 'refused'), {}, { headers }), {
          code: 415,
          reason: 'UnsupportedMediaType',
          message: /./,
        })
      })

      it('a strategic merge patch of a custom object', async () => {
        const path = scope.group(`${group}/v1`, 'patcheds')
        await scope.api.create(path, { apiVersion: `${group}/v1`, kind: 'Patched', metadata: { name: 'one' } })
        expectFailure(await scope.api.patch('strategic', `${path}/one`, { a: 1 }), {
          code: 415,
          reason: 'UnsupportedMediaType',
          message:
            'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
        })
      })
    })
  })
}
