import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import { issueText } from '../../../src/sandbox/api-server/field-issue.ts'
import { defaultBuiltIn } from '../../../src/sandbox/api-server/schema/built-in.ts'
import { compileCustomResource } from '../../../src/sandbox/api-server/schema/custom-resource.ts'
import { validateCustomResourceDefinition } from '../../../src/sandbox/api-server/schema/custom-resource-definition.ts'
import {
  clone,
  type JsonObject,
  type JsonValue,
  listOf,
  objectOf,
} from '../../../src/sandbox/api-server/schema/json.ts'
import type { OpenApiSchema } from '../../../src/sandbox/api-server/schema/open-api-schema.ts'

const complete = (crd: JsonObject): JsonObject =>
  defaultBuiltIn('apiextensions.k8s.io/v1', 'CustomResourceDefinition', crd)

const definition = (schema: JsonValue, more: JsonObject = {}, version: JsonObject = {}): JsonObject =>
  complete({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'foos.x.io' },
    spec: {
      group: 'x.io',
      scope: 'Namespaced',
      names: { plural: 'foos', kind: 'Foo' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
      ...more,
    },
  })
const issues = (crd: JsonObject, old?: JsonObject): string[] =>
  validateCustomResourceDefinition(crd, old).map(issueText)

// If the CRD has one version, or all versions agree, the server reports errors at the top of the spec.
const root = 'spec.validation.openAPIV3Schema'
const withSpec = (spec: JsonObject): JsonObject => ({ type: 'object', properties: { spec } })
const inSpec = `${root}.properties[spec]`

describe('sandbox/schema/custom-resource-definition', () => {
  const folder = new URL('../../../deploy/crds/', import.meta.url)
  for (const file of readdirSync(folder)) {
    const crd = complete(parse(readFileSync(new URL(file, folder), 'utf8')))
    it(`accepts ${file}`, () => expect(issues(crd)).to.deep.equal([]))
    it(`compiles ${file}, rules and all`, () => {
      for (const version of listOf(objectOf(crd.spec).versions).map(objectOf))
        compileCustomResource(objectOf(version.schema).openAPIV3Schema as unknown as OpenApiSchema)
    })
  }

  const rows: [string, JsonObject, string[]][] = [
    ['a schema without a type', { properties: {} }, [`${root}.type: Required value: must not be empty at the root`]],
    [
      'a root that is no object',
      { type: 'string' },
      [`${root}.type: Invalid value: "string": must be object at the root`],
    ],
    [
      'a field without a type',
      withSpec({ type: 'object', properties: { a: {} } }),
      [`${inSpec}.properties[a].type: Required value: must not be empty for specified object fields`],
    ],
    [
      'items without a type',
      withSpec({ type: 'array', items: {} }),
      [`${inSpec}.items.type: Required value: must not be empty for specified array items`],
    ],
    ['a list without items', withSpec({ type: 'array' }), [`${inSpec}.items: Required value: must be specified`]],
    [
      'an unknown type',
      withSpec({ type: 'text' }),
      [
        `${inSpec}.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"`,
      ],
    ],
    ['a reference', withSpec({ type: 'object', $ref: '#/x' }), [`${inSpec}.$ref: Forbidden: $ref is not supported`]],
    [
      'a type inside anyOf',
      withSpec({ type: 'object', anyOf: [{ type: 'object' }] }),
      [`${inSpec}.anyOf[0].type: Forbidden: must be empty to be structural`],
    ],
    [
      'a field only inside anyOf of the root',
      { type: 'object', anyOf: [{ properties: { a: { minLength: 1 } } }] },
      [`${root}.properties[a]: Required value: because it is defined in ${root}.anyOf[0].properties[a]`],
    ],
    [
      'unique items',
      withSpec({ type: 'array', uniqueItems: true, items: { type: 'string' } }),
      [
        `${inSpec}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
      ],
    ],
    [
      'properties beside additionalProperties',
      withSpec({ type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } }),
      [`${inSpec}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`],
    ],
    [
      'a pattern that is none',
      withSpec({ type: 'string', pattern: '(' }),
      [`${inSpec}.pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: (`],
    ],
    [
      'a default of another type',
      withSpec({ type: 'integer', default: 'a' }),
      [`${inSpec}.default: Invalid value: "string":  in body must be of type integer: "string"`],
    ],
    [
      'preserving set to false',
      withSpec({ type: 'object', 'x-kubernetes-preserve-unknown-fields': false }),
      [`${inSpec}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined`],
    ],
    [
      'a list type on an object',
      withSpec({ type: 'object', 'x-kubernetes-list-type': 'set' }),
      [`${inSpec}.type: Invalid value: "object": must be array if x-kubernetes-list-type is specified`],
    ],
    [
      'a map list without keys',
      withSpec({ type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } }),
      [`${inSpec}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`],
    ],
    [
      'a map key that is optional',
      withSpec({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['a'],
        items: { type: 'object', properties: { a: { type: 'string' } } },
      }),
      [
        `${inSpec}.items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
      ],
    ],
    [
      'more of metadata than names',
      { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
      [
        `${root}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified`,
      ],
    ],
    [
      'a rule that does not parse',
      withSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: 'self.' }] }),
      [
        `${inSpec}.x-kubernetes-validations[0].rule: Invalid value: "self.": compilation failed: ERROR: <input>:1:6: Syntax error: Expected IDENTIFIER, got EOF\n | self.\n | .....^`,
      ],
    ],
    [
      'a rule about something unknown',
      withSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: 'other == 1' }] }),
      [
        `${inSpec}.x-kubernetes-validations[0].rule: Invalid value: "other == 1": compilation failed: ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other == 1\n | ^`,
      ],
    ],
    [
      'a rule that is no question',
      withSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: '1 + 1' }] }),
      [`${inSpec}.x-kubernetes-validations[0].rule: Invalid value: "1 + 1": cel expression must evaluate to a bool`],
    ],
    [
      'an empty rule',
      withSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: ' ' }] }),
      [`${inSpec}.x-kubernetes-validations[0].rule: Required value: rule is not specified`],
    ],
    [
      'oldSelf in items of an atomic list',
      withSpec({ type: 'array', items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } }),
      [
        `${inSpec}.items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${inSpec}`,
      ],
    ],
  ]
  for (const [title, schema, wanted] of rows)
    it(`refuses ${title}`, () => expect(issues(definition(schema))).to.deep.equal(wanted))

  const good: JsonObject = { type: 'object' }
  const specs: [string, JsonObject, string[]][] = [
    [
      'a name that does not fit',
      { ...definition(good), metadata: { name: 'foo.x.io' } },
      ['metadata.name: Invalid value: "foo.x.io": must be spec.names.plural+"."+spec.group'],
    ],
    [
      'an unknown scope',
      definition(good, { scope: 'Everywhere' }),
      ['spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"'],
    ],
    ['no schema', definition(good, {}, { schema: {} }), ['spec.versions[0].schema.openAPIV3Schema: Required value']],
    [
      'a column without a leading dot',
      definition(good, {}, { additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: 'spec.a' }] }),
      [
        'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec.a": must be a simple json path starting with .',
      ],
    ],
    [
      'a column of an unknown type',
      definition(good, {}, { additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: '.a' }] }),
      [
        'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
      ],
    ],
  ]
  for (const [title, crd, wanted] of specs) it(`refuses ${title}`, () => expect(issues(crd)).to.deep.equal(wanted))

  it('reports a schema that only one version has where that version has it', () => {
    const version = (name: string, schema: JsonObject) => ({
      name,
      served: true,
      storage: name === 'v1',
      schema: { openAPIV3Schema: schema },
    })
    const crd = definition(good, { versions: [version('v1', good), version('v2', { type: 'string' })] })
    expect(issues(crd)).to.deep.equal([
      'spec.versions[1].schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root',
    ])
  })

  it('refuses another group or plural in an update, and a stored version that is gone', () => {
    const old = definition(good)
    old.metadata = { ...objectOf(old.metadata), resourceVersion: '1' }
    const changed = clone(old)
    const spec = objectOf(changed.spec)
    spec.group = 'y.io'
    spec.versions = [{ ...objectOf(listOf(spec.versions)[0]), name: 'v2' }]
    expect(issues(changed, old)).to.deep.equal([
      'spec.group: Invalid value: "y.io": field is immutable',
      'status.storedVersions: Invalid value: ["v1"]: must have the storage version v2',
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
    ])
  })

  it('accepts int-or-string with its usual anyOf', () => {
    const either = { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }
    expect(issues(definition(withSpec({ type: 'object', properties: { a: either } })))).to.deep.equal([])
  })
})
