import { expect } from 'chai'
import fc from 'fast-check'
import { compileCustomResource } from '../../../src/sandbox/api-server/schema/custom-resource.ts'
import { type JsonValue, sameJson } from '../../../src/sandbox/api-server/schema/json.ts'
import type { OpenApiSchema } from '../../../src/sandbox/api-server/schema/open-api-schema.ts'
import { strictDecodingError } from '../../../src/sandbox/api-server/schema/strict.ts'
import { issues, object, text, withSpec } from './custom-resource-issues.ts'

describe('sandbox/schema/custom-resource', () => {
  const rows: [string, OpenApiSchema, JsonValue, string[]][] = [
    [
      'a text for a number',
      withSpec({ x: { type: 'integer' } }),
      { x: 'a' },
      ['spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'],
    ],
    [
      'a number for a text',
      withSpec({ x: text }),
      { x: 1 },
      ['spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer"'],
    ],
    [
      'a fraction for an integer',
      withSpec({ x: { type: 'integer' } }),
      { x: 1.5 },
      [
        'spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.x',
      ],
    ],
    [
      'null',
      withSpec({ x: text }),
      { x: null },
      ['spec.x: Invalid value: "null": spec.x in body must be of type string: "null"'],
    ],
    [
      'a list for an object',
      withSpec({}),
      [],
      ['spec: Invalid value: "array": spec in body must be of type object: "array"'],
    ],
    [
      'a truth for an int-or-string',
      withSpec({ x: { 'x-kubernetes-int-or-string': true } }),
      { x: true },
      ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'],
    ],
    ['a missing field', withSpec({ x: text }, { required: ['x'] }), {}, ['spec.x: Required value']],
    [
      'a value out of a set',
      withSpec({ x: { type: 'string', enum: ['a', 'b'] } }),
      { x: 'c' },
      ['spec.x: Unsupported value: "c": supported values: "a", "b"'],
    ],
    [
      'a number out of a set',
      withSpec({ x: { type: 'integer', enum: [1, 2] } }),
      { x: 3 },
      ['spec.x: Unsupported value: 3: supported values: "1", "2"'],
    ],
    [
      'a pattern',
      withSpec({ x: { type: 'string', pattern: '^a+$' } }),
      { x: 'b' },
      ['spec.x: Invalid value: "b": spec.x in body should match \'^a+$\''],
    ],
    [
      'a short text',
      withSpec({ x: { type: 'string', minLength: 2 } }),
      { x: 'é' },
      ['spec.x: Invalid value: "é": spec.x in body should be at least 2 chars long'],
    ],
    [
      'a long text',
      withSpec({ x: { type: 'string', maxLength: 1 } }),
      { x: 'ab' },
      ['spec.x: Too long: may not be more than 1 byte'],
    ],
    [
      'a small number',
      withSpec({ x: { type: 'integer', minimum: 1 } }),
      { x: 0 },
      ['spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1'],
    ],
    [
      'a large number',
      withSpec({ x: { type: 'number', maximum: 1, exclusiveMaximum: true } }),
      { x: 1 },
      ['spec.x: Invalid value: 1: spec.x in body should be less than 1'],
    ],
    [
      'no multiple',
      withSpec({ x: { type: 'integer', multipleOf: 2 } }),
      { x: 3 },
      ['spec.x: Invalid value: 3: spec.x in body should be a multiple of 2'],
    ],
    [
      'an int32 that is too large',
      withSpec({ x: { type: 'integer', format: 'int32' } }),
      { x: 2 ** 31 },
      ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x'],
    ],
    [
      'too many items',
      withSpec({ x: { type: 'array', maxItems: 1, items: text } }),
      { x: ['a', 'b'] },
      ['spec.x: Too many: 2: must have at most 1 item'],
    ],
    [
      'too few items',
      withSpec({ x: { type: 'array', minItems: 1, items: text } }),
      { x: [] },
      ['spec.x: Invalid value: 0: spec.x in body should have at least 1 items'],
    ],
    [
      'an item',
      withSpec({ x: { type: 'array', items: { type: 'object', properties: { y: { type: 'boolean' } } } } }),
      { x: [{ y: true }, { y: 'z' }] },
      ['spec.x[1].y: Invalid value: "string": spec.x[1].y in body must be of type boolean: "string"'],
    ],
    [
      'an entry of a map',
      withSpec({ x: { type: 'object', additionalProperties: { type: 'integer' } } }),
      { x: { a: 'b' } },
      ['spec.x.a: Invalid value: "string": spec.x.a in body must be of type integer: "string"'],
    ],
    [
      'too many entries',
      withSpec({ x: { type: 'object', maxProperties: 1, additionalProperties: text } }),
      { x: { a: 'b', c: 'd' } },
      ['spec.x: Too many: 2: must have at most 1 item'],
    ],
    [
      'a date',
      withSpec({ x: { type: 'string', format: 'date-time' } }),
      { x: 'now' },
      ['spec.x: Invalid value: "now": spec.x in body must be of type date-time: "now"'],
    ],
    ['a format that the server does not know', withSpec({ x: { type: 'string', format: 'poem' } }), { x: 'now' }, []],
    [
      'no alternative of oneOf',
      withSpec({ a: text, b: text }, { oneOf: [{ required: ['a'] }, { required: ['b'] }] }),
      {},
      [
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid',
        'spec.a: Required value',
      ],
    ],
    [
      'two alternatives of oneOf',
      withSpec({ a: text, b: text }, { oneOf: [{ required: ['a'] }, { required: ['b'] }] }),
      { a: '1', b: '2' },
      ['<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ],
    [
      'no alternative of anyOf',
      withSpec({ a: text, b: text }, { anyOf: [{ required: ['a'] }, { required: ['b'] }] }),
      {},
      ['<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)', 'spec.a: Required value'],
    ],
    [
      'what not forbids',
      withSpec({ a: text }, { not: { required: ['a'] } }),
      { a: '1' },
      ['<nil>: Invalid value: "": "spec" must not validate the schema (not)'],
    ],
    [
      'a part of allOf',
      withSpec({ a: text }, { allOf: [{ required: ['a'] }] }),
      {},
      [
        'spec.a: Required value',
        '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf). None validated',
      ],
    ],
    [
      'a second item of a set',
      withSpec({ x: { type: 'array', 'x-kubernetes-list-type': 'set', items: text } }),
      { x: ['a', 'b', 'a'] },
      ['spec.x[2]: Duplicate value: "a"'],
    ],
    [
      'a second key of a map list',
      withSpec({
        x: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
          items: { type: 'object', properties: { k: text } },
        },
      }),
      { x: [{ k: 'a' }, { k: 'a' }] },
      ['spec.x[1]: Duplicate value: {"k":"a"}'],
    ],
  ]
  for (const [title, schema, spec, wanted] of rows)
    it(`reports ${title}`, () => expect(issues(schema, spec)).to.deep.equal(wanted))

  it('lets through what was wrong before and is unchanged', () => {
    const schema = withSpec({ x: { type: 'integer' }, y: text })
    expect(issues(schema, { x: 'a', y: 'new' }, { x: 'a', y: 'old' })).to.deep.equal([])
    expect(issues(schema, { x: 'b' }, { x: 'a' })).to.have.length(1)
  })

  describe('pruning and defaults', () => {
    const schema: OpenApiSchema = withSpec({
      plain: { type: 'object', properties: { a: text } },
      free: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { known: { type: 'object', properties: { a: text } } },
      },
      embedded: {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        properties: { spec: { type: 'object', properties: { a: text } } },
      },
      list: { type: 'array', items: { type: 'object', properties: { a: text } } },
      withDefault: { type: 'object', default: {}, properties: { n: { type: 'integer', default: 3 } } },
    })
    const compiled = compileCustomResource(schema)

    it('drop what no schema names, and say what', () => {
      const { object: kept, problems } = compiled.prune({
        ...object({
          plain: { a: '1', b: 2 },
          free: { x: { y: 1 }, known: { a: '1', b: 2 } },
          embedded: { apiVersion: 'v1', kind: 'K', metadata: { anything: 1 }, spec: { a: '1', b: 2 } },
          list: [{ a: '1' }, { b: 2 }],
        }),
        top: 1,
      })
      expect(kept.spec).to.deep.equal({
        plain: { a: '1' },
        free: { x: { y: 1 }, known: { a: '1' } },
        embedded: { apiVersion: 'v1', kind: 'K', metadata: { anything: 1 }, spec: { a: '1' } },
        list: [{ a: '1' }, {}],
      })
      expect(problems).to.deep.equal([
        'unknown field "spec.embedded.spec.b"',
        'unknown field "spec.free.known.b"',
        'unknown field "spec.list[1].b"',
        'unknown field "spec.plain.b"',
        'unknown field "top"',
      ])
      expect(strictDecodingError('X', 'v1', problems.slice(0, 2)).message).to.equal(
        'X in version "v1" cannot be handled as a X: strict decoding error: unknown field "spec.embedded.spec.b", unknown field "spec.free.known.b"',
      )
    })

    it('fill in defaults, and the defaults of what they brought', () => {
      expect(compiled.applyDefaults(object({})).spec).to.deep.equal({ withDefault: { n: 3 } })
      expect(compiled.applyDefaults(object({ withDefault: { n: null } })).spec).to.deep.equal({ withDefault: { n: 3 } })
      expect(compiled.applyDefaults(object({ plain: { a: null }, withDefault: { n: 0 } })).spec).to.deep.equal({
        plain: {},
        withDefault: { n: 0 },
      })
    })

    it('change nothing the second time', () => {
      const leaf = fc.oneof(fc.constant(null), fc.integer(), fc.string({ maxLength: 2 }))
      const names = fc.constantFrom(
        'plain',
        'free',
        'known',
        'embedded',
        'list',
        'withDefault',
        'a',
        'n',
        'metadata',
        'spec',
        '__proto__',
      )
      const values: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
        value: fc.oneof(
          { maxDepth: 4 },
          leaf,
          fc.array(tie('value'), { maxLength: 2 }),
          fc.dictionary(names, tie('value'), { maxKeys: 4 }),
        ),
      })).value
      fc.assert(
        fc.property(values, (spec) => {
          const pruned = compiled.prune(object(spec)).object
          const again = compiled.prune(pruned)
          const full = compiled.applyDefaults(pruned)
          return (
            again.problems.length === 0 &&
            sameJson(again.object, pruned) &&
            sameJson(compiled.applyDefaults(full), full) &&
            sameJson(compiled.prune(full).object, full)
          )
        }),
      )
    })
  })
})
