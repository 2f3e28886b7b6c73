import type { CustomResourceSchema } from '../schema/custom-resource.ts'
import type { NameRule } from '../schema/metadata.ts'
import type { TableLayout } from '../table/table.ts'

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

export interface SubresourceSpec {
  readonly name: string
  readonly kind: string
  /** Where the kind is of another group than the resource, such as Scale. */
  readonly group?: string
  readonly version?: string
  readonly verbs: readonly Verb[]
}

/** What the discovery documents say of a resource. */
export interface ResourceSpec {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly verbs?: readonly Verb[]
  readonly subresources?: readonly SubresourceSpec[]
}

export interface GroupSpec {
  readonly group: string
  readonly version: string
  readonly resources: readonly ResourceSpec[]
}

/** What a resource of a CustomResourceDefinition has besides. */
export interface CustomResource {
  /** The object that defines it, by uid: a definition made anew is another resource. */
  readonly definitionUid: string
  readonly schema: CustomResourceSchema
  readonly layout: TableLayout
  readonly status: boolean
}

/** A resource in one version, as requests address it. */
export interface Resource extends ResourceSpec {
  readonly group: string
  readonly version: string
  readonly apiVersion: string
  readonly listKind: string
  readonly verbs: readonly Verb[]
  readonly subresources: readonly SubresourceSpec[]
  /** The resource of the store that holds the objects. Two resources may share one: events of both groups do. */
  readonly storage: string
  readonly names: NameRule
  readonly custom?: CustomResource | undefined
}

export const allVerbs: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
]

export const apiVersionOf = (group: string, version: string): string => (group === '' ? version : `${group}/${version}`)

/** The group of an apiVersion: `apps` of `apps/v1`, empty of `v1`. */
export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '')

/** `deployments.apps`, and `pods` for the core group: how messages name a resource. */
export const qualifiedName = ({ group, plural }: { group: string; plural: string }): string =>
  group === '' ? plural : `${plural}.${group}`
