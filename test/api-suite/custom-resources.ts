import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { definitions, useKind, useScope } from './scope.ts'
import type { Target } from './target.ts'

const group = 'custom.varmor.test'
const text = { type: 'string' }
const integer = { type: 'integer' }
const object = (properties: Json, rest: Json = {}): Json => ({ type: 'object', properties, ...rest })

const schema = object(
  {
    spec: object(
      {
        mode: { ...text, enum: ['Fast', 'Slow'], default: 'Slow', maxLength: 10 },
        name: { ...text, pattern: '^[a-z]+$', minLength: 2, maxLength: 5 },
        size: { ...integer, minimum: 1, maximum: 10 },
        limit: { ...integer, default: 10 },
        tags: { type: 'array', items: text, maxItems: 2 },
        unique: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
        port: { 'x-kubernetes-int-or-string': true },
        nullable: { ...text, nullable: true },
        options: object({ level: { ...integer, default: 1 }, deep: object({ x: text }) }),
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        labels: { type: 'object', additionalProperties: text },
        fixed: {
          ...text,
          'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fixed cannot be changed' }],
        },
        when: { ...text, format: 'date-time' },
        either: object({ a: text, b: text }, { oneOf: [{ required: ['a'] }, { required: ['b'] }] }),
      },
      {
        required: ['size'],
        'x-kubernetes-validations': [
          { rule: 'self.size <= self.limit', message: 'size must not be above limit' },
          {
            rule: "!has(self.tags) || self.tags.all(t, t != 'bad')",
            messageExpression: "'tags must not contain bad in mode ' + self.mode",
            fieldPath: '.tags',
            reason: 'FieldValueForbidden',
          },
        ],
      },
    ),
    status: object({ phase: text }),
  },
  { required: ['spec'] },
)

interface Row {
  title: string
  spec: Json
  /** The message after its fixed first words; `field` is the cause's field. */
  says: string
  field: string
  reason: string
}

const rows: Row[] = [
  { title: 'a missing field', spec: {}, says: 'Required value', field: 'spec.size', reason: 'FieldValueRequired' },
  {
    title: 'a text for a number',
    spec: { size: 'big' },
    says: 'Invalid value: "string": spec.size in body must be of type integer: "string"',
    field: 'spec.size',
    reason: 'FieldValueTypeInvalid',
  },
  {
    title: 'a number for a text',
    spec: { size: 1, name: 5 },
    says: 'Invalid value: "integer": spec.name in body must be of type string: "integer"',
    field: 'spec.name',
    reason: 'FieldValueTypeInvalid',
  },
  {
    title: 'a fraction for a whole number',
    spec: { size: 1.5 },
    says: 'Invalid value: "number": spec.size in body must be of type integer: "number"',
    field: 'spec.size',
    reason: 'FieldValueTypeInvalid',
  },
  {
    title: 'a value that is none of the allowed',
    spec: { size: 1, mode: 'Medium' },
    says: 'Unsupported value: "Medium": supported values: "Fast", "Slow"',
    field: 'spec.mode',
    reason: 'FieldValueNotSupported',
  },
  {
    title: 'a number below the minimum',
    spec: { size: 0 },
    says: 'Invalid value: 0: spec.size in body should be greater than or equal to 1',
    field: 'spec.size',
    reason: 'FieldValueInvalid',
  },
  {
    title: 'a number above the maximum',
    spec: { size: 11, limit: 99 },
    says: 'Invalid value: 11: spec.size in body should be less than or equal to 10',
    field: 'spec.size',
    reason: 'FieldValueInvalid',
  },
  {
    title: 'a text that does not match',
    spec: { size: 1, name: 'ABC' },
    says: 'Invalid value: "ABC": spec.name in body should match \'^[a-z]+$\'',
    field: 'spec.name',
    reason: 'FieldValueInvalid',
  },
  {
    title: 'a text that is too short',
    spec: { size: 1, name: 'a' },
    says: 'Invalid value: "a": spec.name in body should be at least 2 chars long',
    field: 'spec.name',
    reason: 'FieldValueInvalid',
  },
  {
    title: 'a text that is too long',
    spec: { size: 1, name: 'abcdef' },
    says: 'Too long: may not be more than 5 bytes',
    field: 'spec.name',
    reason: 'FieldValueTooLong',
  },
  {
    title: 'a list that is too long',
    spec: { size: 1, tags: ['a', 'b', 'c'] },
    says: 'Too many: 3: must have at most 2 items',
    field: 'spec.tags',
    reason: 'FieldValueTooMany',
  },
  {
    title: 'a list for an object',
    spec: { size: 1, options: [] },
    says: 'Invalid value: "array": spec.options in body must be of type object: "array"',
    field: 'spec.options',
    reason: 'FieldValueTypeInvalid',
  },
  {
    title: 'a set with the same twice',
    spec: { size: 1, unique: ['a', 'a'] },
    says: 'Duplicate value: "a"',
    field: 'spec.unique[1]',
    reason: 'FieldValueDuplicate',
  },
  {
    title: 'a time that is none',
    spec: { size: 1, when: 'noon' },
    says: 'Invalid value: "noon": spec.when in body must be of type date-time: "noon"',
    field: 'spec.when',
    reason: 'FieldValueTypeInvalid',
  },
  {
    title: 'what breaks a rule in CEL',
    spec: { size: 5, limit: 4 },
    says: 'Invalid value: size must not be above limit',
    field: 'spec',
    reason: 'FieldValueInvalid',
  },
  {
    title: 'what breaks one that makes its own message, path and reason',
    spec: { size: 1, tags: ['ok', 'bad'] },
    says: 'Forbidden: tags must not contain bad in mode Slow',
    field: 'spec.tags',
    reason: 'FieldValueForbidden',
  },
]

/** Kinds that a user defines: schema, defaults, pruning, rules, versions. */
export function customResources(target: Target): void {
  describe('custom resources', () => {
    const scope = useScope(target)
    useKind(scope, { kind: 'Custom', plural: 'customs', group, schema, version: { subresources: { status: {} } } })
    const at = (name?: string): string => scope.group(`${group}/v1`, 'customs', name)
    const custom = (name: string, spec: Json): Json => ({
      apiVersion: `${group}/v1`,
      kind: 'Custom',
      metadata: { name },
      spec,
    })

    it('are in discovery and in OpenAPI as soon as they are established', async () => {
      const { resources } = await scope.api.read(`/apis/${group}/v1`)
      expect(resources.map(({ name }: Json) => name).sort()).to.deep.equal(['customs', 'customs/status'])
      expect(resources.find(({ name }: Json) => name === 'customs')).to.include({
        kind: 'Custom',
        singularName: 'custom',
        namespaced: true,
      })
      await eventually('the schema to be published', async () => {
        const { paths } = JSON.parse((await scope.api.get('/openapi/v3')).text)
        return paths[`apis/${group}/v1`] !== undefined
      })
    })

    it('their definition says that it is accepted and established', async () => {
      const { status } = await scope.api.read(`${definitions}/customs.${group}`)
      const brief = status.conditions.map(({ type, status, reason }: Json) => [type, status, reason])
      expect(brief).to.deep.include(['NamesAccepted', 'True', 'NoConflicts'])
      expect(brief).to.deep.include(['Established', 'True', 'InitialNamesAccepted'])
      expect(status.acceptedNames).to.deep.equal({
        kind: 'Custom',
        listKind: 'CustomList',
        plural: 'customs',
        singular: 'custom',
      })
      expect(status.storedVersions).to.deep.equal(['v1'])
    })

    it('get defaults, also inside of objects that are there', async () => {
      const { spec } = await scope.api.create(at(), custom('defaults', { size: 1, options: {} }))
      expect(spec).to.deep.equal({ size: 1, mode: 'Slow', limit: 10, options: { level: 1 } })
    })

    it('get none for null where null is allowed, and one where it is not', async () => {
      const { spec } = await scope.api.create(at(), custom('nulls', { size: 1, mode: null, nullable: null }))
      expect(spec).to.deep.equal({ size: 1, mode: 'Slow', limit: 10, nullable: null })
    })

    it('lose unknown fields, but not where these are kept', async () => {
      const spec = {
        size: 1,
        unknown: 1,
        options: { deep: { x: 'y', z: 1 } },
        free: { any: { thing: [1] } },
        labels: { k: 'v' },
      }
      const body = await scope.api.create(at(), { ...custom('pruned', spec), extra: 1 })
      expect(body).not.to.have.property('extra')
      expect(body.spec).to.deep.equal({
        size: 1,
        mode: 'Slow',
        limit: 10,
        options: { level: 1, deep: { x: 'y' } },
        free: { any: { thing: [1] } },
        labels: { k: 'v' },
      })
    })

    it('warn of unknown fields by default in a client that asks for it', async () => {
      const reply = await scope.api.post(`${at()}?fieldValidation=Warn`, custom('warned', { size: 1, unknown: 1 }))
      expect(reply.status).to.equal(201)
      expect(reply.headers['warning']).to.equal('299 - "unknown field \\"spec.unknown\\""')
    })

    it('refuse unknown fields if the client wants strictness', async () => {
      expectFailure(await scope.api.post(`${at()}?fieldValidation=Strict`, custom('strict', { size: 1, unknown: 1 })), {
        code: 400,
        reason: 'BadRequest',
        message:
          'Custom in version "v1" cannot be handled as a Custom: strict decoding error: unknown field "spec.unknown"',
      })
    })

    it('take a number or a text where both are allowed', async () => {
      expect((await scope.api.create(at(), custom('port-1', { size: 1, port: 80 }))).spec.port).to.equal(80)
      expect((await scope.api.create(at(), custom('port-2', { size: 1, port: 'http' }))).spec.port).to.equal('http')
    })

    for (const { title, spec, says, field, reason } of rows) {
      it(`refuse ${title}`, async () => {
        const reply = await scope.api.post(at(), custom('refused', spec))
        expectFailure(reply, {
          code: 422,
          reason: 'Invalid',
          message: new RegExp(`^Custom\\.${group.replaceAll('.', '\\.')} "refused" is invalid: `),
        })
        const { causes, ...details } = reply.body.details
        expect(details).to.deep.equal({ name: 'refused', group, kind: 'Custom' })
        expect(causes, reply.text).to.deep.include({ reason, message: says, field })
        expect(reply.body.message).to.contain(`${field}: ${says}`)
      })
    }

    // The causes come in no particular order, so the test compares the causes and not the message.
    const unchecked =
      'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'
    const oneOf = 'Invalid value: "": "spec.either" must validate one and only one schema (oneOf). Found'
    const several: [title: string, spec: Json, causes: [field: string, message: string][]][] = [
      [
        'all mistakes at once',
        { size: 0, mode: 'Medium', name: 'ABC' },
        [
          ['spec.mode', 'Unsupported value: "Medium": supported values: "Fast", "Slow"'],
          ['spec.name', 'Invalid value: "ABC": spec.name in body should match \'^[a-z]+$\''],
          ['spec.size', 'Invalid value: 0: spec.size in body should be greater than or equal to 1'],
          ['<nil>', unchecked],
        ],
      ],
      [
        'neither of two alternatives',
        { size: 1, either: {} },
        [
          ['<nil>', `${oneOf} none valid`],
          ['spec.either.a', 'Required value'],
          ['<nil>', unchecked],
        ],
      ],
      ['both of them', { size: 1, either: { a: 'x', b: 'y' } }, [['<nil>', `${oneOf} 2 valid alternatives`]]],
    ]
    for (const [title, spec, causes] of several) {
      it(`refuse ${title}`, async () => {
        const { status, body } = await scope.api.post(at(), custom('refused', spec))
        expect(status).to.equal(422)
        const found = body.details.causes.map(({ field, message }: Json) => [field, message])
        expect(found).to.have.deep.members(causes)
        const all = body.details.causes.map(({ field, message }: Json) => `${field}: ${message}`)
        const list = all.length === 1 ? all[0] : `[${all.join(', ')}]`
        expect(body.message).to.equal(`Custom.${group} "refused" is invalid: ${list}`)
      })
    }

    it('may keep a value from changing by a rule that sees the old one', async () => {
      await scope.api.create(at(), custom('fixed', { size: 1, fixed: 'a' }))
      expectFailure(await scope.api.patch('merge', at('fixed'), { spec: { fixed: 'b' } }), {
        code: 422,
        reason: 'Invalid',
        message: `Custom.${group} "fixed" is invalid: spec.fixed: Invalid value: "b": fixed cannot be changed`,
      })
      const same = await scope.api.patch('merge', at('fixed'), { spec: { fixed: 'a', size: 2 } })
      expect(same.status, same.text).to.equal(200)
    })

    it('are checked at an update, too, and at one of the status', async () => {
      await scope.api.create(at(), custom('checked', { size: 1 }))
      expect((await scope.api.patch('merge', at('checked'), { spec: { size: 0 } })).status).to.equal(422)
      expectFailure(await scope.api.patch('merge', `${at('checked')}/status`, { status: { phase: 1 } }), {
        code: 422,
        reason: 'Invalid',
        message: /status\.phase: Invalid value: "integer": phase in body must be of type string: "integer"/,
      })
    })

    it('need the kind and version of the URL', async () => {
      const body = { ...custom('wrong', { size: 1 }), kind: 'Other' }
      const reply = await scope.api.post(at(), body)
      expect(reply.status, reply.text).to.equal(422)
      expect(reply.body.details.causes).to.deep.include({
        reason: 'FieldValueInvalid',
        message: 'Invalid value: "Other": must be Custom',
        field: 'kind',
      })
    })
  })
}
