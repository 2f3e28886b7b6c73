import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { crdFile } from '../../deploy/generate-crds.ts'
import { customResourceDefinition, kinds } from '../../src/api/crds.ts'
import type { OpenApiSchema } from '../../src/api/open-api.ts'
import { nodesIn } from './arbitrary.ts'

const folder = new URL('../../deploy/crds/', import.meta.url)

type Definition = { spec: { versions: { schema: { openAPIV3Schema: OpenApiSchema } }[] } }

function* schemasIn(schema: OpenApiSchema): Generator<OpenApiSchema> {
  yield schema
  const properties = Object.values((schema['properties'] ?? {}) as Record<string, OpenApiSchema>)
  for (const inner of [schema['items'], schema['additionalProperties'], ...properties]) {
    if (inner !== undefined) yield* schemasIn(inner as OpenApiSchema)
  }
}

const documented = (schema: OpenApiSchema) =>
  schema['x-kubernetes-int-or-string'] === true || schema['type'] !== undefined

describe('CustomResourceDefinitions', () => {
  it('are in deploy/crds as the schemas make them; else run `npm run generate`', () => {
    const files = kinds.map(crdFile)
    expect(readdirSync(folder).sort()).to.deep.equal(files.map(({ name }) => name).sort())
    for (const { name, text } of files) expect(readFileSync(new URL(name, folder), 'utf8'), name).to.equal(text)
  })

  for (const kind of kinds) {
    const definition = customResourceDefinition(kind) as unknown as Definition
    const root = definition.spec.versions[0]?.schema.openAPIV3Schema as OpenApiSchema
    const schemas = [...schemasIn(root)]

    describe(kind.kind, () => {
      it('describes every field', () => {
        expect([...nodesIn(kind.schema)].filter(({ description = '' }) => description.length < 5)).to.be.empty
      })

      it('is structural: each schema has a type, and none forbids further fields', () => {
        expect(schemas.filter((schema) => !documented(schema))).to.be.empty
        expect(schemas.filter((schema) => schema['additionalProperties'] === false)).to.be.empty
      })

      it('has no keyword that an API server does not know', () => {
        const known =
          /^(x-kubernetes-.+|description|type|format|default|enum|pattern|items|properties|required|additionalProperties|anyOf|m(in|ax)(imum|Length|Items|Properties))$/
        expect(schemas.flatMap((schema) => Object.keys(schema)).filter((keyword) => !known.test(keyword))).to.be.empty
      })

      it('fits into the annotation of `kubectl apply`, 262,144 bytes', () => {
        expect(JSON.stringify(definition).length).to.be.below(200_000)
      })
    })
  }
})
