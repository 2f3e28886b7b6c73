import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { env } from 'node:process'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import { builtInDefinitions, builtInMessages } from '../../../deploy/generate-built-in-kinds.ts'
import { kubernetesModule, kubernetesVersion as sourceVersion } from '../../../deploy/kubernetes-source.ts'
import { messages } from '../../../src/sandbox/api-server/protobuf/messages-data.ts'
import {
  builtInKinds,
  builtInSchema,
  kubernetesVersion,
  publishedDefinitions,
} from '../../../src/sandbox/api-server/schema/built-in-kinds.ts'
import { at, type JsonObject, listOf, objectOf } from '../../../src/sandbox/api-server/schema/json.ts'
import { openApiDocument, openApiIndex } from '../../../src/sandbox/api-server/schema/open-api-documents.ts'

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']

function unresolved(document: JsonObject): string[] {
  const schemas = objectOf(at(document, 'components', 'schemas'))
  const names = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)
  return [...new Set([...names].map(([, name]) => name as string))].filter((name) => schemas[name] === undefined)
}

describe('sandbox/schema/open-api', () => {
  const modules = env.GOMODCACHE ?? join(env.GOPATH ?? join(homedir(), 'go'), 'pkg/mod')
  const source = join(modules, `${kubernetesModule}@${sourceVersion()}`)

  it('the data of the built-in kinds is what deploy/generate-built-in-kinds.ts would write', function () {
    if (!existsSync(source)) return this.skip()
    expect(kubernetesVersion()).to.equal(sourceVersion())
    expect(publishedDefinitions()).to.deep.equal(JSON.parse(builtInDefinitions(source)))
  })

  it('so is the data of their messages in protobuf', function () {
    const version = sourceVersion().replace(/^v1/, 'v0')
    const sources = {
      'k8s.io/api': join(modules, `k8s.io/api@${version}`),
      'k8s.io/apimachinery': join(modules, `k8s.io/apimachinery@${version}`),
    }
    if (!Object.values(sources).every(existsSync)) return this.skip()
    const packed = gunzipSync(Buffer.from(messages, 'base64')).toString()
    expect(JSON.parse(packed)).to.deep.equal(JSON.parse(builtInMessages(sources)))
  })

  it('lists which values a field takes, as a server does and the published documents do not', () => {
    const strategy = objectOf(publishedDefinitions()['io.k8s.api.apps.v1.DeploymentStrategy']?.properties)['type']
    expect(strategy).to.deep.include({ enum: ['Recreate', 'RollingUpdate'] })
    expect(at(strategy, 'description')).to.match(/Possible enum values:\n - `"Recreate"` Kill all existing pods/)
  })

  it('knows merge keys, list types, defaults and descriptions', () => {
    const containers = builtInSchema('apps/v1', 'Deployment')?.properties?.spec?.properties?.template?.properties?.spec
      ?.properties?.containers
    expect(containers).to.include({ 'x-kubernetes-patch-merge-key': 'name', 'x-kubernetes-list-type': 'map' })
    expect(containers?.description).to.match(/^List of containers belonging to the pod/)
    expect(containers?.items?.properties?.ports?.items?.properties?.protocol?.default).to.equal('TCP')
  })

  it('follows a definition that contains itself', () => {
    const schema = builtInSchema('apiextensions.k8s.io/v1', 'CustomResourceDefinition')?.properties?.spec?.properties
      ?.versions?.items
    const props = schema?.properties?.schema?.properties?.openAPIV3Schema
    expect(props?.properties?.not?.properties?.not?.properties?.not?.properties).to.equal(props?.properties)
  })

  it('points from the index to the documents', () => {
    expect(
      openApiIndex([
        { group: '', version: 'v1', hash: 'A' },
        { group: 'apps', version: 'v1', hash: 'B' },
      ]),
    ).to.deep.equal({
      paths: {
        'api/v1': { serverRelativeURL: '/openapi/v3/api/v1?hash=A' },
        'apis/apps/v1': { serverRelativeURL: '/openapi/v3/apis/apps/v1?hash=B' },
      },
    })
  })

  it('says of each kind that it takes fieldValidation, as kubectl asks', () => {
    const document = openApiDocument('apps', 'v1', [
      { resource: 'deployments', kind: 'Deployment', namespaced: true, verbs, subresources: ['status'] },
    ])
    const patch = objectOf(at(document, 'paths', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}', 'patch'))
    expect(patch['x-kubernetes-group-version-kind']).to.deep.equal({ group: 'apps', version: 'v1', kind: 'Deployment' })
    expect(listOf(patch.parameters).map((parameter) => at(parameter, 'name'))).to.include('fieldValidation')
    expect(Object.keys(objectOf(document.paths))).to.include(
      '/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status',
    )
  })

  it('has every schema that it refers to, for every group', () => {
    const groups = new Map<string, { group: string; version: string; kinds: string[] }>()
    for (const { group, version, kind } of builtInKinds()) {
      const entry = groups.get(`${group}/${version}`) ?? { group, version, kinds: [] }
      entry.kinds.push(kind)
      groups.set(`${group}/${version}`, entry)
    }
    for (const { group, version, kinds } of groups.values()) {
      const resources = kinds.map((kind) => ({ resource: kind.toLowerCase(), kind, namespaced: false, verbs }))
      expect(
        unresolved(openApiDocument(group, version, resources)).filter((name) => !name.endsWith('List')),
        `${group}/${version}`,
      ).to.deep.equal([])
    }
  })

  it('describes custom resources under their reversed group, with metadata and a list', () => {
    const schema = {
      type: 'object',
      description: 'A Foo.',
      properties: { spec: { type: 'object', description: 'Its spec.' } },
    }
    const document = openApiDocument('x.io', 'v1', [{ resource: 'foos', kind: 'Foo', namespaced: true, verbs, schema }])
    const definition = objectOf(at(document, 'components', 'schemas', 'io.x.v1.Foo'))
    expect(definition['x-kubernetes-group-version-kind']).to.deep.equal([{ group: 'x.io', version: 'v1', kind: 'Foo' }])
    expect(at(definition, 'properties', 'spec', 'description')).to.equal('Its spec.')
    expect(at(definition, 'properties', 'metadata', 'allOf', 0, '$ref')).to.match(/ObjectMeta$/)
    expect(at(document, 'components', 'schemas', 'io.x.v1.FooList', 'properties', 'items', 'items')).to.deep.equal({
      $ref: '#/components/schemas/io.x.v1.Foo',
    })
    expect(unresolved(document)).to.deep.equal([])
  })
})
