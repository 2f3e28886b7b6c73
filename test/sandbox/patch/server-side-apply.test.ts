import { expect } from 'chai'
import fc from 'fast-check'
import {
  type ApplyRequest,
  applyServerSide,
  trackUpdate,
  type UpdateRequest,
} from '../../../src/sandbox/api-server/patch/server-side-apply.ts'
import { builtInSchema } from '../../../src/sandbox/api-server/schema/built-in-kinds.ts'
import { withObjectMeta } from '../../../src/sandbox/api-server/schema/custom-resource.ts'
import {
  at,
  clone,
  type JsonObject,
  type JsonValue,
  listOf,
  objectOf,
  sameJson,
} from '../../../src/sandbox/api-server/schema/json.ts'
import type { OpenApiSchema } from '../../../src/sandbox/api-server/schema/open-api-schema.ts'
import { ApiStatusError } from '../../../src/sandbox/api-server/status.ts'

const configMap = builtInSchema('v1', 'ConfigMap') as OpenApiSchema
const deployment = builtInSchema('apps/v1', 'Deployment') as OpenApiSchema
const early = '2026-01-01T00:00:00Z'
const late = '2026-01-01T01:00:00Z'

const map = (data: Record<string, string>, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm', namespace: 'default', ...metadata },
  ...(Object.keys(data).length === 0 ? {} : { data }),
})
const apply = (
  manager: string,
  applied: JsonObject,
  live: JsonObject | undefined,
  more: Partial<ApplyRequest> = {},
): JsonObject =>
  applyServerSide({ manager, applied, live, apiVersion: 'v1', time: early, force: false, schema: configMap, ...more })
const update = (
  manager: string,
  updated: JsonObject,
  live: JsonObject | undefined,
  more: Partial<UpdateRequest> = {},
): JsonObject => trackUpdate({ manager, updated, live, apiVersion: 'v1', time: early, schema: configMap, ...more })
const entries = (object: JsonObject): JsonObject[] => listOf(at(object, 'metadata', 'managedFields')).map(objectOf)
const owned = (object: JsonObject, manager: string): JsonValue | undefined =>
  entries(object).find((entry) => entry.manager === manager)?.fieldsV1

function refusal(run: () => unknown): ApiStatusError {
  try {
    run()
  } catch (error) {
    if (error instanceof ApiStatusError) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('sandbox/patch/server-side-apply', () => {
  it('creates an object that its manager owns, but for what says which object it is', () => {
    const made = apply('me', map({ a: '1' }), undefined)
    expect(made.data).to.deep.equal({ a: '1' })
    expect(entries(made)).to.deep.equal([
      {
        manager: 'me',
        operation: 'Apply',
        apiVersion: 'v1',
        time: early,
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {} } },
      },
    ])
  })

  it('removes what its manager no longer applies and no other manager owns', () => {
    const made = apply('me', map({ a: '1', b: '2' }), undefined)
    const shared = apply('you', map({ b: '2' }), made)
    expect(apply('me', map({}), shared).data).to.deep.equal({ b: '2' })
    expect(apply('me', map({}), made).data).to.equal(undefined)
  })

  it('keeps what others wrote', () => {
    const made = apply('me', map({ a: '1' }), undefined)
    const edited = update('editor', { ...clone(made), data: { a: '1', b: '2' } }, made)
    expect(apply('me', map({ a: '3' }), edited).data).to.deep.equal({ a: '3', b: '2' })
  })

  it('refuses to take a field from an applier, naming it, the field and the cause', () => {
    const made = apply('x', map({ a: '1' }), undefined)
    const error = refusal(() => apply('me', map({ a: '2' }), made))
    expect(error.message).to.equal('Apply failed with 1 conflict: conflict with "x": .data.a')
    expect(error.status).to.deep.include({ code: 409, reason: 'Conflict' })
    expect(error.status.details?.causes).to.deep.equal([
      { reason: 'FieldManagerConflict', message: 'conflict with "x"', field: '.data.a' },
    ])
  })

  it('names the version and subresource of an updater, and several conflicts by manager', () => {
    const made = update('x', map({ a: '1', b: '2' }), undefined, { subresource: 'status' })
    const both = apply('y', map({ b: '2', c: '3' }), made)
    expect(refusal(() => apply('me', map({ a: '9' }), made)).message).to.equal(
      'Apply failed with 1 conflict: conflict with "x" with subresource "status" using v1: .data.a',
    )
    expect(refusal(() => apply('me', map({ a: '9', b: '9', c: '9' }), both)).message).to.equal(
      'Apply failed with 4 conflicts: conflicts with "x" with subresource "status" using v1:\n- .data.a\n- .data.b\nconflicts with "y":\n- .data.b\n- .data.c',
    )
  })

  it('takes the field with force, and the other loses it', () => {
    const made = apply('x', map({ a: '1' }), undefined)
    const forced = apply('me', map({ a: '2' }), made, { force: true, time: late })
    expect(forced.data).to.deep.equal({ a: '2' })
    expect(entries(forced).map(({ manager }) => manager)).to.deep.equal(['me'])
  })

  it('shares a field that is applied with the same value', () => {
    const made = apply('x', map({ a: '1' }), undefined)
    const shared = apply('me', map({ a: '1' }), made)
    expect(entries(shared).map(({ manager }) => manager)).to.have.members(['me', 'x'])
    expect(entries(apply('x', map({}), shared)).map(({ manager }) => manager)).to.deep.equal(['me'])
  })

  it('keeps the time when nothing changes', () => {
    const made = apply('me', map({ a: '1' }), undefined)
    expect(apply('me', map({ a: '1' }), made, { time: late })).to.deep.equal(made)
  })

  it('gives all of an object without owners to before-first-apply', () => {
    const bare = map({ a: '1' }, { uid: 'u' })
    const applied = apply('me', map({ b: '2' }), bare)
    expect(owned(applied, 'before-first-apply')).to.deep.equal({ 'f:data': { '.': {}, 'f:a': {} } })
    expect(refusal(() => apply('me', map({ a: '2' }), bare)).message).to.include(
      '"before-first-apply" using v1: .data.a',
    )
  })

  const refusals: [string, number, string, JsonObject][] = [
    ['another kind', 400, 'invalid object type: /v1, Kind=Secret', { ...map({}), kind: 'Secret' }],
    ['managedFields', 400, 'metadata.managedFields must be nil', map({}, { managedFields: [] })],
    [
      'an unknown field',
      500,
      'failed to create typed patch object (default/m; /v1, Kind=ConfigMap): .spec: field not declared in schema',
      { ...map({}), spec: {} },
    ],
    [
      'a value of another type',
      500,
      'failed to create typed patch object (default/m; /v1, Kind=ConfigMap): .data.a: expected string, got &value.valueUnstructured{Value:1}',
      { ...map({}), data: { a: 1 } },
    ],
  ]
  for (const [title, code, text, applied] of refusals)
    it(`refuses ${title}`, () => {
      const error = refusal(() => apply('me', applied, undefined, { kind: 'ConfigMap' }))
      expect([error.status.code, error.message]).to.deep.equal([code, text])
    })

  it('knows items of lists by their keys, and their defaults', () => {
    const container = (image: string, ports: JsonObject[]) => ({ name: 'c', image, ports })
    const object = (image: string, ports: JsonObject[]): JsonObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { template: { spec: { containers: [container(image, ports)] } } },
    })
    const request = { apiVersion: 'apps/v1', schema: deployment }
    const made = apply('x', object('1', [{ containerPort: 80 }]), undefined, request)
    expect(
      at(made, 'metadata', 'managedFields', 0, 'fieldsV1', 'f:spec', 'f:template', 'f:spec', 'f:containers'),
    ).to.deep.equal({
      'k:{"name":"c"}': {
        '.': {},
        'f:image': {},
        'f:name': {},
        'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
      },
    })
    const other = apply('y', object('1', [{ containerPort: 81 }]), made, request)
    expect(at(other, 'spec', 'template', 'spec', 'containers', 0, 'ports')).to.deep.equal([
      { containerPort: 80 },
      { containerPort: 81 },
    ])
    expect(refusal(() => apply('y', object('2', []), made, request)).message).to.equal(
      'Apply failed with 1 conflict: conflict with "x": .spec.template.spec.containers[name="c"].image',
    )
  })

  it('refuses duplicate keys', () => {
    const containers = [{ name: 'c' }, { name: 'c' }]
    const applied = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { template: { spec: { containers } } },
    }
    expect(
      refusal(() => apply('x', applied, undefined, { apiVersion: 'apps/v1', schema: deployment })).message,
    ).to.equal(
      'failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name="c"]',
    )
  })

  describe('of a custom resource', () => {
    const schema = withObjectMeta({
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            atomicList: { type: 'array', items: { type: 'string' } },
            set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
            atomicMap: { type: 'object', 'x-kubernetes-map-type': 'atomic', additionalProperties: { type: 'string' } },
            free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      },
    })
    const object = (spec: JsonObject): JsonObject => ({
      apiVersion: 'x.io/v1',
      kind: 'X',
      metadata: { name: 'x' },
      spec,
    })
    const request = { apiVersion: 'x.io/v1', schema }

    it('merges sets, and replaces what is atomic', () => {
      const made = apply(
        'a',
        object({ set: ['1'], atomicList: ['1'], atomicMap: { a: '1' }, free: { a: { b: 1 } } }),
        undefined,
        request,
      )
      const merged = apply('b', object({ set: ['2'], free: { a: { c: 2 } } }), made, request)
      expect(merged.spec).to.deep.equal({
        set: ['1', '2'],
        atomicList: ['1'],
        atomicMap: { a: '1' },
        free: { a: { b: 1, c: 2 } },
      })
      expect(owned(merged, 'a')).to.deep.equal({
        'f:spec': {
          'f:atomicList': {},
          'f:atomicMap': {},
          'f:free': { 'f:a': { '.': {}, 'f:b': {} } },
          'f:set': { 'v:"1"': {} },
        },
      })
      const error = refusal(() => apply('b', object({ atomicMap: { b: '2' } }), merged, request))
      expect(error.message).to.equal('Apply failed with 1 conflict: conflict with "a": .spec.atomicMap')
    })

    it('owns no field that the endpoint resets', () => {
      const made = apply('a', { ...object({ set: ['1'] }), spec: { set: ['1'] } }, undefined, {
        ...request,
        resetFields: [['spec']],
      })
      expect(entries(made)).to.deep.equal([])
    })
  })

  describe('of updates', () => {
    it('gives a field to who changed it last, and drops entries that are empty', () => {
      const made = update('a', map({ x: '1' }), undefined)
      const changed = update('b', { ...clone(made), data: { x: '2' } }, made, { time: late })
      expect(owned(changed, 'a')).to.deep.equal({ 'f:data': {} })
      expect(owned(changed, 'b')).to.deep.equal({ 'f:data': { 'f:x': {} } })
      const gone = clone(changed)
      delete gone.data
      expect(entries(update('c', gone, changed))).to.deep.equal([])
    })

    it('changes nothing when nothing changed', () => {
      const made = update('a', map({ x: '1' }), undefined)
      expect(update('b', clone(made), made, { time: late })).to.deep.equal(made)
    })

    it('resets the owners when asked to, and keeps them when the client sends none', () => {
      const made = update('a', map({ x: '1' }), undefined)
      expect(entries(update('b', map({ x: '1' }), made))).to.deep.equal(entries(made))
      expect(entries(update('b', map({ x: '1' }, { managedFields: [{}] }), made))).to.deep.equal([])
    })

    it('gives no manager the structs of built-in kinds', () => {
      const object = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: { replicas: 1, strategy: {} },
        status: {},
      }
      const made = update('a', object, undefined, { apiVersion: 'apps/v1', schema: deployment })
      expect(owned(made, 'a')).to.deep.equal({ 'f:spec': { 'f:replicas': {} } })
    })
  })

  it('applying twice is applying once, and the answer has what was applied', () => {
    const data = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'))
    fc.assert(
      fc.property(data, data, data, (first, second, third) => {
        const live = update('editor', map(second), apply('x', map(first), undefined))
        const once = apply('me', map(third), live, { force: true })
        const twice = apply('me', map(third), once, { force: true })
        const has = Object.entries(third).every(([name, value]) => at(once, 'data', name) === value)
        return has && sameJson(once, twice)
      }),
    )
  })
})
