import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import { Api, type Json } from './api.ts'
import type { ApiTarget, Target } from './target.ts'

/** The tools of one topic of the suite: an administrator's client and a separate namespace. */
export class Scope {
  #target: Target
  #api: Api | undefined
  #namespace: string | undefined
  #cleanups: (() => Promise<unknown>)[] = []

  constructor(target: Target) {
    this.#target = target
  }

  get target(): ApiTarget {
    return this.#target()
  }

  get api(): Api {
    if (this.#api === undefined) throw new Error('a scope can be used in hooks and tests only')
    return this.#api
  }

  get namespace(): string {
    if (this.#namespace === undefined) throw new Error('a scope can be used in hooks and tests only')
    return this.#namespace
  }

  /** Path of a resource of the core group, in the namespace. */
  core(resource: string, name?: string): string {
    return this.path('api/v1', resource, name)
  }

  /** Path of a resource of a group, in the namespace: `group('apps/v1', 'deployments', 'web')`. */
  group(groupVersion: string, resource: string, name?: string): string {
    return this.path(`apis/${groupVersion}`, resource, name)
  }

  async open(): Promise<void> {
    this.#api = Api.admin(this.target)
    const namespace = await this.api.create('/api/v1/namespaces', { metadata: { generateName: 'suite-' } })
    this.#namespace = namespace.metadata.name
  }

  /** Registers `cleanup` to run when the topic ends, while the server still runs; the last registered runs first. */
  atEnd(cleanup: () => Promise<unknown>): void {
    this.#cleanups.push(cleanup)
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup()
    if (this.#namespace !== undefined) await this.api.delete(`/api/v1/namespaces/${this.#namespace}`)
    await this.#api?.close()
  }

  /** Waits until pods can be created in the namespace. */
  async accountReady(): Promise<void> {
    const path = this.core('serviceaccounts', 'default')
    await eventually('the ServiceAccount default', async () => (await this.api.get(path)).status === 200)
  }

  private path(prefix: string, resource: string, name?: string): string {
    return `/${prefix}/namespaces/${this.namespace}/${resource}${name === undefined ? '' : `/${name}`}`
  }
}

/** Declares, inside a `describe`, that its tests share a namespace. */
export function useScope(target: Target): Scope {
  const scope = new Scope(target)
  before(() => scope.open())
  after(() => scope.close())
  return scope
}

/** A topic's custom kind. */
export interface KindOptions {
  kind: string
  plural: string
  group: string
  scope?: 'Namespaced' | 'Cluster'
  /** Fields of version v1 besides `schema`: subresources, additionalPrinterColumns, selectableFields. */
  version?: Json
  /** Schema of the whole object. */
  schema: Json
}

export const definition = ({ kind, plural, group, scope = 'Namespaced', version, schema }: KindOptions): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope,
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
  },
})

export const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

/** Creates a CRD, and waits until its objects are served. */
export async function define(api: Api, crd: Json): Promise<void> {
  const reply = await api.post(definitions, crd)
  expect(reply.status, reply.text).to.be.oneOf([201, 409])
  const served = crd.spec.versions.find((version: Json) => version.served).name
  await eventually(`the kind ${crd.spec.names.kind} to be served`, async () => {
    const { status } = await api.get(`/apis/${crd.spec.group}/${served}/${crd.spec.names.plural}`)
    return status === 200
  })
}

/** Declares, inside a `describe` and after its scope, that its tests use a separate custom kind. */
export function useKind(scope: Scope, options: KindOptions): void {
  before(async () => {
    scope.atEnd(() => scope.api.delete(`${definitions}/${options.plural}.${options.group}`))
    await define(scope.api, definition(options))
  })
}
