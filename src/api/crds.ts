import { type OpenApiSchema, toOpenApi } from './open-api.ts'
import { armorProfile } from './schema/armor-profile.ts'
import { armorProfileModel } from './schema/armor-profile-model.ts'
import { nodeOf, type SchemaNode } from './schema/node.ts'
import { varmorClusterPolicy, varmorPolicy } from './schema/policy.ts'

/** Group and version of all vArmor's kinds. */
export const group = 'crd.varmor.org'
export const version = 'v1beta1'

interface PrinterColumn {
  name: string
  type: 'string' | 'integer' | 'boolean' | 'date'
  jsonPath: string
  /** With priority 1, only `kubectl get -o wide` shows the column. */
  priority?: 1
}

/** One of vArmor's kinds, with the facts that its CustomResourceDefinition needs. */
export interface Kind {
  kind: string
  plural: string
  shortNames: string[]
  scope: 'Namespaced' | 'Cluster'
  columns: PrinterColumn[]
  schema: SchemaNode
}

const column = (name: string, jsonPath: string, type: PrinterColumn['type'] = 'string'): PrinterColumn => ({
  name,
  type,
  jsonPath,
})
const wide = (name: string, jsonPath: string): PrinterColumn => ({ ...column(name, jsonPath), priority: 1 })
const age = column('AGE', '.metadata.creationTimestamp', 'date')

const policyColumns = [
  column('ENFORCER', '.spec.policy.enforcer'),
  column('MODE', '.spec.policy.mode'),
  column('TARGET-KIND', '.spec.target.kind'),
  column('TARGET-NAME', '.spec.target.name'),
  column('TARGET-SELECTOR', '.spec.target.selector'),
  column('PROFILE-NAME', '.status.profileName'),
  column('READY', '.status.ready', 'boolean'),
  column('STATUS', '.status.summary'),
  age,
  wide('MESSAGE', '.status.conditions[?(@.type=="Ready")].message'),
]

export const kinds: readonly Kind[] = [
  {
    kind: 'VarmorPolicy',
    plural: 'varmorpolicies',
    shortNames: ['vpol'],
    scope: 'Namespaced',
    columns: policyColumns,
    schema: nodeOf(varmorPolicy),
  },
  {
    kind: 'VarmorClusterPolicy',
    plural: 'varmorclusterpolicies',
    shortNames: ['vcpol'],
    scope: 'Cluster',
    columns: policyColumns,
    schema: nodeOf(varmorClusterPolicy),
  },
  {
    kind: 'ArmorProfile',
    plural: 'armorprofiles',
    shortNames: ['aprof'],
    scope: 'Namespaced',
    columns: [
      column('PROFILE', '.spec.profile.name'),
      column('ENFORCER', '.spec.profile.enforcer'),
      column('MODE', '.spec.profile.mode'),
      column('DESIRED', '.status.desiredNumberLoaded', 'integer'),
      column('CURRENT', '.status.currentNumberLoaded', 'integer'),
      age,
      wide('MESSAGES', '.status.conditions[*].message'),
    ],
    schema: nodeOf(armorProfile),
  },
  {
    kind: 'ArmorProfileModel',
    plural: 'armorprofilemodels',
    shortNames: ['amodel'],
    scope: 'Namespaced',
    columns: [
      column('STORAGE-TYPE', '.storageType'),
      column('DESIRED', '.status.desiredNumber', 'integer'),
      column('COMPLETED', '.status.completedNumber', 'integer'),
      column('READY', '.status.ready', 'boolean'),
      age,
      wide('MESSAGE', '.status.conditions[?(@.type=="Ready")].message'),
    ],
    schema: nodeOf(armorProfileModel),
  },
]

/**
 * The schema of a whole object without `metadata`, `apiVersion` and `kind`: Kubernetes checks these fields itself, and
 * refuses a CRD with schemas for them.
 */
function objectSchema(node: SchemaNode): OpenApiSchema {
  const { properties, required, ...schema } = toOpenApi(node)
  const own = Object.entries(properties as Record<string, OpenApiSchema>).filter(([name]) => !isKubernetes(name))
  return {
    ...schema,
    properties: {
      apiVersion: { type: 'string', description: 'Group and version of the kind, as in every Kubernetes object.' },
      kind: { type: 'string', description: 'Name of the kind, as in every Kubernetes object.' },
      metadata: { type: 'object' },
      ...Object.fromEntries(own),
    },
    required: (required as string[]).filter((name) => !isKubernetes(name)),
  }
}

const isKubernetes = (field: string) => ['apiVersion', 'kind', 'metadata'].includes(field)

/** The CustomResourceDefinition of a kind, apiextensions.k8s.io/v1. */
export function customResourceDefinition({ kind, plural, shortNames, scope, columns, schema }: Kind): OpenApiSchema {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames,
        categories: ['varmor'],
      },
      scope,
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: objectSchema(schema) },
        },
      ],
    },
  }
}
