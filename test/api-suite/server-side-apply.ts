import { expect } from 'chai'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { configMap } from './samples.ts'
import { useKind, useScope } from './scope.ts'
import type { Target } from './target.ts'

const owners = ({ metadata }: Json): string[] =>
  (metadata.managedFields ?? []).map(({ manager, operation }: Json) => `${manager} ${operation}`).sort()
const fieldsOf = ({ metadata }: Json, manager: string): Json =>
  metadata.managedFields.find((entry: Json) => entry.manager === manager)?.fieldsV1

/** Server-side apply: the owners of fields, and conflicts between owners. */
export function serverSideApply(target: Target): void {
  describe('server-side apply', () => {
    const scope = useScope(target)
    const group = 'applying.varmor.test'
    const list = { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }
    const text = { type: 'string' }
    useKind(scope, {
      kind: 'Applied',
      plural: 'applieds',
      group,
      version: { subresources: { status: {} } },
      schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: {
              items: {
                ...list,
                items: { type: 'object', required: ['name'], properties: { name: text, value: text } },
              },
              set: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
              atomic: { type: 'array', items: text },
            },
          },
          status: { type: 'object', properties: { phase: text } },
        },
      },
    })
    const map = (name: string, data: Json, metadata: Json = {}): Json => configMap(name, data, metadata)
    const custom = (name: string, spec: Json): Json => ({
      apiVersion: `${group}/v1`,
      kind: 'Applied',
      metadata: { name },
      spec,
    })
    const at = (name: string): string => scope.core('configmaps', name)
    const customAt = (name: string): string => scope.group(`${group}/v1`, 'applieds', name)

    it('creates what is not there (201), then changes it (200), and records what the manager owns', async () => {
      const created = await scope.api.apply(at('one'), 'alice', map('one', { a: '1' }, { labels: { l: 'v' } }))
      expect(created.status, created.text).to.equal(201)
      const again = await scope.api.apply(at('one'), 'alice', map('one', { a: '2' }, { labels: { l: 'v' } }))
      expect(again.status, again.text).to.equal(200)
      expect(again.body.data).to.deep.equal({ a: '2' })
      const [entry] = again.body.metadata.managedFields
      expect(entry).to.deep.include({
        manager: 'alice',
        operation: 'Apply',
        apiVersion: 'v1',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:l': {} } } },
      })
      expect(entry.time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    })

    it('the same again changes nothing', async () => {
      const first = await scope.api.apply(at('same'), 'alice', map('same', { a: '1' }))
      const second = await scope.api.apply(at('same'), 'alice', map('same', { a: '1' }))
      expect(second.body).to.deep.equal(first.body)
    })

    it('a field that its only manager leaves out goes', async () => {
      await scope.api.apply(at('less'), 'alice', map('less', { a: '1', b: '2' }))
      const { body } = await scope.api.apply(at('less'), 'alice', map('less', { a: '1' }))
      expect(body.data).to.deep.equal({ a: '1' })
    })

    it('a field of another manager stays', async () => {
      await scope.api.apply(at('both'), 'alice', map('both', { a: '1' }))
      await scope.api.apply(at('both'), 'bob', map('both', { b: '2' }))
      const { body } = await scope.api.apply(at('both'), 'alice', map('both', {}))
      expect(body.data).to.deep.equal({ b: '2' })
      expect(fieldsOf(body, 'bob')).to.deep.equal({ 'f:data': { 'f:b': {} } })
    })

    it('two managers share a field that they set alike', async () => {
      await scope.api.apply(at('shared'), 'alice', map('shared', { a: '1' }))
      const { body } = await scope.api.apply(at('shared'), 'bob', map('shared', { a: '1' }))
      expect(owners(body)).to.deep.equal(['alice Apply', 'bob Apply'])
      const left = await scope.api.apply(at('shared'), 'alice', map('shared', {}))
      expect(left.body.data).to.deep.equal({ a: '1' })
    })

    it('another value is a conflict, which names the manager and the field', async () => {
      await scope.api.apply(at('fought'), 'alice', map('fought', { a: '1' }))
      expectFailure(await scope.api.apply(at('fought'), 'bob', map('fought', { a: '2' })), {
        code: 409,
        reason: 'Conflict',
        message: 'Apply failed with 1 conflict: conflict with "alice": .data.a',
        details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "alice"', field: '.data.a' }] },
      })
    })

    it('several conflicts are all named', async () => {
      await scope.api.apply(at('many'), 'alice', map('many', { a: '1', b: '1' }))
      expectFailure(await scope.api.apply(at('many'), 'bob', map('many', { a: '2', b: '2' })), {
        code: 409,
        reason: 'Conflict',
        message: 'Apply failed with 2 conflicts: conflicts with "alice":\n- .data.a\n- .data.b',
      })
    })

    it('force takes the field away', async () => {
      await scope.api.apply(at('forced'), 'alice', map('forced', { a: '1', b: '1' }))
      const { status, body } = await scope.api.apply(at('forced'), 'bob', map('forced', { a: '2' }), '&force=true')
      expect(status).to.equal(200)
      expect(body.data).to.deep.equal({ a: '2', b: '1' })
      expect(fieldsOf(body, 'alice')).to.deep.equal({ 'f:data': { 'f:b': {} } })
      expect(fieldsOf(body, 'bob')).to.deep.equal({ 'f:data': { 'f:a': {} } })
    })

    it('an update takes the fields that it changes, under the name of its client', async () => {
      await scope.api.apply(at('updated'), 'alice', map('updated', { a: '1', b: '1' }))
      const { body } = await scope.api.patch('merge', `${at('updated')}?fieldManager=carol`, { data: { a: '2' } })
      expect(owners(body)).to.deep.equal(['alice Apply', 'carol Update'])
      expect(fieldsOf(body, 'alice')).to.deep.equal({ 'f:data': { 'f:b': {} } })
      expect(fieldsOf(body, 'carol')).to.deep.equal({ 'f:data': { 'f:a': {} } })
      const conflict = await scope.api.apply(at('updated'), 'alice', map('updated', { a: '1', b: '1' }))
      expect(conflict.body.message).to.match(
        /^Apply failed with 1 conflict: conflict with "carol" using v1: \.data\.a$|^Apply failed with 1 conflict: conflict with "carol" using v1 at \S+: \.data\.a$/,
      )
    })

    it('a creation is owned by the first part of the user agent', async () => {
      const reply = await scope.api.post(scope.core('configmaps'), map('agent', { a: '1' }), {
        headers: { 'user-agent': 'tool/1.0 (linux) more' },
      })
      expect(owners(reply.body)).to.deep.equal(['tool Update'])
      expect(fieldsOf(reply.body, 'tool')).to.deep.equal({ 'f:data': { '.': {}, 'f:a': {} } })
    })

    it('a list with keys is merged by them', async () => {
      await scope.api.apply(customAt('keyed'), 'alice', custom('keyed', { items: [{ name: 'x', value: '1' }] }))
      const { body } = await scope.api.apply(
        customAt('keyed'),
        'bob',
        custom('keyed', { items: [{ name: 'y', value: '2' }] }),
      )
      expect(body.spec.items).to.deep.equal([
        { name: 'x', value: '1' },
        { name: 'y', value: '2' },
      ])
      const item = { '.': {}, 'f:name': {}, 'f:value': {} }
      expect(fieldsOf(body, 'bob')).to.deep.equal({ 'f:spec': { 'f:items': { 'k:{"name":"y"}': item } } })
    })

    it('a set is merged by its values', async () => {
      await scope.api.apply(customAt('set'), 'alice', custom('set', { set: ['x'] }))
      const { body } = await scope.api.apply(customAt('set'), 'bob', custom('set', { set: ['y'] }))
      expect(body.spec.set).to.deep.equal(['x', 'y'])
      expect(fieldsOf(body, 'bob')).to.deep.equal({ 'f:spec': { 'f:set': { 'v:"y"': {} } } })
    })

    it('an atomic list is one field', async () => {
      await scope.api.apply(customAt('atomic'), 'alice', custom('atomic', { atomic: ['x'] }))
      const reply = await scope.api.apply(customAt('atomic'), 'bob', custom('atomic', { atomic: ['y'] }))
      expectFailure(reply, {
        code: 409,
        reason: 'Conflict',
        message: 'Apply failed with 1 conflict: conflict with "alice": .spec.atomic',
      })
    })

    it('a subresource has entries of its own', async () => {
      await scope.api.apply(customAt('status'), 'alice', custom('status', { atomic: ['x'] }))
      const body = {
        apiVersion: `${group}/v1`,
        kind: 'Applied',
        metadata: { name: 'status' },
        status: { phase: 'Done' },
      }
      const reply = await scope.api.apply(`${customAt('status')}/status`, 'controller', body)
      expect(reply.status, reply.text).to.equal(200)
      const entry = reply.body.metadata.managedFields.find(({ manager }: Json) => manager === 'controller')
      expect(entry).to.deep.include({ subresource: 'status', fieldsV1: { 'f:status': { 'f:phase': {} } } })
    })

    it('managedFields can be given up with an empty entry', async () => {
      await scope.api.apply(at('reset'), 'alice', map('reset', { a: '1' }))
      const { body } = await scope.api.patch('merge', at('reset'), { metadata: { managedFields: [{}] } })
      expect(body.metadata.managedFields ?? []).to.deep.equal([])
    })

    const refused = [
      {
        title: 'an apply without a manager',
        path: (name: string) => at(name),
        body: map('refused', {}),
        code: 422,
        reason: 'Invalid',
        message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      },
      {
        title: 'an apply with managedFields',
        path: (name: string) => `${at(name)}?fieldManager=alice`,
        body: map(
          'refused',
          {},
          {
            managedFields: [
              { manager: 'x', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} },
            ],
          },
        ),
        code: 400,
        reason: 'BadRequest',
        message: 'metadata.managedFields must be nil',
      },
      {
        title: 'an apply of another name',
        path: (name: string) => `${at(name)}?fieldManager=alice`,
        body: map('other', {}),
        code: 400,
        reason: 'BadRequest',
        message: 'the name of the object (other) does not match the name on the URL (refused)',
      },
    ]
    for (const { title, path, body, ...failure } of refused) {
      it(`refuses ${title}`, async () => {
        expectFailure(await scope.api.patch('apply', path('refused'), body), failure)
      })
    }

    it('refuses force on any other patch', async () => {
      await scope.api.create(scope.core('configmaps'), map('unforced', {}))
      expectFailure(await scope.api.patch('merge', `${at('unforced')}?force=true`, {}), {
        code: 422,
        reason: 'Invalid',
        message: 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
      })
    })
  })
}
