import type { CustomResourceSchema } from '../schema/custom-resource.ts'
import type { NameRule } from '../schema/metadata.ts'
import type { TableLayout } from '../table/table.ts'

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

export interface SubresourceSpec {
  readonly name: string
  readonly kind: string
  /** Set if the kind's group differs from the resource's group, as for Scale. */
  readonly group?: string
  readonly version?: string
  readonly verbs: readonly Verb[]
}

/** The properties of a resource in discovery documents. */
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

/** Additional properties of a custom resource. */
export interface CustomResource {
  /**
   * Uid of the resource's definition. If a definition is deleted and created again, its resource is a different one.
   */
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
  /** The name under which the store keeps the objects. Two resources may share a name: the Events of both groups do. */
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

/** The group of an apiVersion: `apps` for `apps/v1`, empty for `v1`. */
export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '')

/** A resource's name in messages: `deployments.apps`; for the core group `pods`. */
export const qualifiedName = ({ group, plural }: { group: string; plural: string }): string =>
  group === '' ? plural : `${plural}.${group}`
