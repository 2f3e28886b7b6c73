import {
  child,
  type FieldIssue,
  forbiddenField,
  invalidValue,
  item,
  key,
  notSupported,
  required,
} from '../field-issue.ts'
import { schemaIssues } from './crd-schema.ts'
import { applySchemaDefaults } from './defaulting.ts'
import { at, isObject, type JsonObject, type JsonValue, listOf, objectOf, sameJson, textOf } from './json.ts'
import { IMMUTABLE, validateObjectMeta, validateObjectMetaUpdate } from './metadata.ts'
import { label1035Problems, subdomainProblems } from './names.ts'
import type { OpenApiSchema } from './open-api-schema.ts'
import { prune } from './pruning.ts'
import { structuralIssues } from './structural.ts'
import { validateValue } from './value-validation.ts'

const joined = (field: string, value: string, problems: readonly string[], before = ''): FieldIssue[] =>
  problems.length === 0 ? [] : [invalidValue(field, value, before + problems.join(','))]

function namesIssues(names: JsonObject, field: string): FieldIssue[] {
  const [kind, listKind] = [textOf(names.kind), textOf(names.listKind)]
  const plain = ['plural', 'singular'].flatMap((name) => {
    const value = textOf(names[name])
    return value === '' ? [] : joined(child(field, name), value, label1035Problems(value))
  })
  const mixed = ['kind', 'listKind'].flatMap((name) => {
    const value = textOf(names[name])
    const before = 'may have mixed case, but should otherwise match: '
    return value === '' ? [] : joined(child(field, name), value, label1035Problems(value.toLowerCase()), before)
  })
  const lists = ['shortNames', 'categories'].flatMap((name) =>
    listOf(names[name]).flatMap((value, index) =>
      joined(item(child(field, name), index), textOf(value), label1035Problems(textOf(value))),
    ),
  )
  const same = kind !== '' && kind === listKind
  return [
    ...plain,
    ...mixed,
    ...lists,
    ...(same ? [invalidValue(child(field, 'listKind'), listKind, 'kind and listKind may not be the same')] : []),
  ]
}

/** Defaults must be what the schema itself would keep and accept. */
function defaultIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  const place = child(field, 'default')
  const issues: FieldIssue[] = []
  if (schema.default !== undefined) {
    const value = schema.default
    const kept = isObject(value)
      ? prune({ value }, { type: 'object', properties: { value: schema } }).object.value
      : value
    if (!sameJson(kept, value)) issues.push(invalidValue(place, value, 'must not have unknown fields'))
    else {
      const full = isObject(value) ? applySchemaDefaults(value, schema) : value
      const problems = validateValue(schema, full, '')
      issues.push(
        ...problems.map((issue) => ({ ...issue, field: issue.field === '<nil>' ? place : `${place}.${issue.field}` })),
      )
    }
  }
  const others = schema.additionalProperties
  return [
    ...issues,
    ...(schema.items === undefined ? [] : defaultIssues(schema.items, child(field, 'items'))),
    ...(typeof others === 'object' ? defaultIssues(others, child(field, 'additionalProperties')) : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, below]) =>
      defaultIssues(below, key(child(field, 'properties'), name)),
    ),
  ]
}

function versionSchemaIssues(schema: OpenApiSchema, field: string): FieldIssue[] {
  const nullable =
    schema.nullable === true ? [forbiddenField(`${field}.nullable`, 'nullable cannot be true at the root')] : []
  const structural = structuralIssues(schema, field)
  const inDefaults = structural.length === 0 ? defaultIssues(schema, field) : []
  const sound = structural.length === 0 && inDefaults.length === 0
  return [...nullable, ...structural, ...inDefaults, ...schemaIssues(schema, field, sound)]
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

function columnIssues(column: JsonObject, field: string): FieldIssue[] {
  const [type, format, path] = [textOf(column.type), textOf(column.format), textOf(column.jsonPath)]
  const oneOf = `must be one of ${columnTypes.join(',')}`
  const pathField = child(field, 'JSONPath')
  return [
    ...(textOf(column.name) === '' ? [required(child(field, 'name'))] : []),
    ...(type === ''
      ? [required(child(field, 'type'), oneOf)]
      : columnTypes.includes(type)
        ? []
        : [invalidValue(child(field, 'type'), type, oneOf)]),
    ...(format === '' || columnFormats.includes(format)
      ? []
      : [invalidValue(child(field, 'format'), format, `must be one of ${columnFormats.join(',')}`)]),
    ...(path === ''
      ? [required(pathField)]
      : path.startsWith('.')
        ? []
        : [invalidValue(pathField, path, 'must be a simple json path starting with .')]),
  ]
}

function scaleIssues(scale: JsonObject, field: string): FieldIssue[] {
  const paths = [
    ['specReplicasPath', '.spec.', 'should be a json path under .spec'],
    ['statusReplicasPath', '.status.', 'should be a json path under .status'],
  ] as const
  return paths.flatMap(([name, prefix, detail]) => {
    const path = textOf(scale[name])
    const place = `${field}.scale.${name}`
    if (path === '') return [required(place)]
    if (!path.startsWith('.')) return [invalidValue(place, path, 'must be a simple json path starting with .')]
    return path.startsWith(prefix) ? [] : [invalidValue(place, path, detail)]
  })
}

function schemaOf(version: JsonObject): JsonObject | undefined {
  const schema = at(version, 'schema', 'openAPIV3Schema')
  return isObject(schema) ? schema : undefined
}

const columnsIssues = (version: JsonObject, field: string): FieldIssue[] =>
  listOf(version.additionalPrinterColumns).flatMap((column, index) =>
    columnIssues(objectOf(column), item(child(field, 'additionalPrinterColumns'), index)),
  )

const subresourceIssues = (version: JsonObject, field: string): FieldIssue[] => {
  const scale = at(version, 'subresources', 'scale')
  return isObject(scale) ? scaleIssues(scale, child(field, 'subresources')) : []
}

const schemaIssuesOf = (version: JsonObject, field: string): FieldIssue[] => {
  const schema = schemaOf(version)
  return schema === undefined
    ? []
    : versionSchemaIssues(schema as unknown as OpenApiSchema, child(field, 'openAPIV3Schema'))
}

function versionNameIssues(version: JsonObject, field: string): FieldIssue[] {
  const name = textOf(version.name)
  const { deprecated, deprecationWarning } = version
  const warned = deprecationWarning !== undefined && deprecationWarning !== null && deprecated !== true
  return [
    ...joined(child(field, 'name'), name, label1035Problems(name)),
    ...(warned
      ? [
          invalidValue(
            child(field, 'deprecationWarning'),
            deprecationWarning,
            'can only be set for deprecated versions',
          ),
        ]
      : []),
  ]
}

/**
 * What versions have in common, the server keeps once, on top of the spec, and tells of it there: schemas, subresources
 * and columns that are the same in all versions, as they are when there is only one.
 */
interface Common {
  schema: boolean
  subresources: boolean
  columns: boolean
}

const isCommon = (versions: readonly JsonObject[], part: string): boolean =>
  versions.every((version) => sameJson(version[part] ?? null, versions[0]?.[part] ?? null))

const commonOf = (versions: readonly JsonObject[]): Common => ({
  schema: isCommon(versions, 'schema'),
  subresources: isCommon(versions, 'subresources'),
  columns: isCommon(versions, 'additionalPrinterColumns'),
})

const versionIssues = (version: JsonObject, field: string, common: Common): FieldIssue[] => [
  ...versionNameIssues(version, field),
  ...(common.schema ? [] : schemaIssuesOf(version, child(field, 'schema'))),
  ...(common.subresources ? [] : subresourceIssues(version, field)),
  ...(common.columns ? [] : columnsIssues(version, field)),
]

function commonIssues(versions: readonly JsonObject[]): FieldIssue[] {
  const [first] = versions
  if (first === undefined) return []
  const common = commonOf(versions)
  return [
    ...(common.schema ? schemaIssuesOf(first, 'spec.validation') : []),
    ...(common.subresources ? subresourceIssues(first, 'spec') : []),
    ...(common.columns ? columnsIssues(first, 'spec') : []),
  ]
}

function groupIssues(group: string): FieldIssue[] {
  const field = 'spec.group'
  if (group === '') return [required(field)]
  const problems = subdomainProblems(group)
  if (problems.length > 0) return joined(field, group, problems)
  return group.includes('.') ? [] : [invalidValue(field, group, 'should be a domain with at least one dot')]
}

function scopeIssues(scope: string): FieldIssue[] {
  if (scope === '') return [required('spec.scope')]
  const scopes = ['Cluster', 'Namespaced']
  return scopes.includes(scope) ? [] : [notSupported('spec.scope', scope, scopes)]
}

function versionsIssues(versions: JsonValue[]): FieldIssue[] {
  const field = 'spec.versions'
  const names = versions.map((version) => textOf(at(version, 'name')))
  const stored = versions.filter((version) => at(version, 'storage') === true).length
  const common = commonOf(versions.map(objectOf))
  const noSchema = versions.flatMap((version, index) =>
    isObject(at(version, 'schema', 'openAPIV3Schema'))
      ? []
      : [required(child(item(field, index), 'schema', 'openAPIV3Schema'))],
  )
  return [
    ...noSchema,
    ...versions.flatMap((version, index) => versionIssues(objectOf(version), item(field, index), common)),
    ...(new Set(names).size === names.length
      ? []
      : [invalidValue(field, versions, 'must contain unique version names')]),
    ...(stored === 1 ? [] : [invalidValue(field, versions, 'must have exactly one version marked as storage version')]),
  ]
}

function conversionIssues(conversion: JsonValue | undefined): FieldIssue[] {
  if (!isObject(conversion)) return []
  const field = 'spec.conversion'
  const strategy = textOf(conversion.strategy)
  const strategies = ['None', 'Webhook']
  if (strategy === '') return [required(child(field, 'strategy'))]
  if (!strategies.includes(strategy)) return [notSupported(child(field, 'strategy'), strategy, strategies)]
  if (strategy === 'Webhook' && !isObject(at(conversion, 'webhook', 'clientConfig')))
    return [required(child(field, 'webhookClientConfig'), 'required when strategy is set to Webhook')]
  if (strategy === 'None' && isObject(at(conversion, 'webhook', 'clientConfig')))
    return [
      forbiddenField(child(field, 'webhookClientConfig'), 'should not be set when strategy is not set to Webhook'),
    ]
  return []
}

function specIssues(spec: JsonObject): FieldIssue[] {
  const names = objectOf(spec.names)
  const missing = ['plural', 'singular', 'kind', 'listKind'].filter((name) => textOf(names[name]) === '')
  return [
    ...groupIssues(textOf(spec.group)),
    ...scopeIssues(textOf(spec.scope)),
    ...versionsIssues(listOf(spec.versions)),
    ...missing.map((name) => required(child('spec.names', name))),
    ...namesIssues(names, 'spec.names'),
    ...commonIssues(listOf(spec.versions).map(objectOf)),
    ...conversionIssues(spec.conversion),
  ]
}

function statusIssues(crd: JsonObject): FieldIssue[] {
  const stored = listOf(at(crd, 'status', 'storedVersions')).map(textOf)
  const field = 'status.storedVersions'
  if (stored.length === 0) return [invalidValue(field, null, 'must have at least one stored version')]
  const versions = listOf(at(crd, 'spec', 'versions')).map(objectOf)
  const names = versions.map((version) => textOf(version.name))
  const unstored = versions.filter((version) => version.storage === true && !stored.includes(textOf(version.name)))
  return [
    ...unstored.map((version) => invalidValue(field, stored, `must have the storage version ${textOf(version.name)}`)),
    ...stored.flatMap((name, index) =>
      names.includes(name)
        ? []
        : [
            invalidValue(
              item(field, index),
              name,
              `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
            ),
          ],
    ),
  ]
}

const APPROVAL = 'api-approved.kubernetes.io'

function approvalIssues(crd: JsonObject): FieldIssue[] {
  const group = textOf(at(crd, 'spec', 'group'))
  const isProtected = ['k8s.io', 'kubernetes.io'].some((name) => group === name || group.endsWith(`.${name}`))
  const approval = textOf(at(crd, 'metadata', 'annotations', APPROVAL))
  if (!isProtected || approval.startsWith('unapproved') || URL.canParse(approval)) return []
  const field = key('metadata.annotations', APPROVAL)
  const hint = 'see https://github.com/kubernetes/enhancements/pull/1111'
  if (approval === '') return [required(field, `protected groups must have approval annotation "${APPROVAL}", ${hint}`)]
  return [
    invalidValue(
      field,
      approval,
      `protected groups must have approval annotation "${APPROVAL}" with either a URL or a reason starting with "unapproved", ${hint}`,
    ),
  ]
}

function preserveIssues(crd: JsonObject): FieldIssue[] {
  if (at(crd, 'spec', 'preserveUnknownFields') !== true) return []
  const detail =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead'
  return [invalidValue('spec.preserveUnknownFields', true, detail)]
}

function createIssues(crd: JsonObject): FieldIssue[] {
  const wanted = `${textOf(at(crd, 'spec', 'names', 'plural'))}.${textOf(at(crd, 'spec', 'group'))}`
  const name = textOf(at(crd, 'metadata', 'name'))
  const misnamed = name !== '' && name !== wanted
  return [
    ...validateObjectMeta(crd, false, 'subdomain'),
    ...(misnamed ? [invalidValue('metadata.name', name, 'must be spec.names.plural+"."+spec.group')] : []),
  ]
}

function immutableIssues(crd: JsonObject, old: JsonObject): FieldIssue[] {
  const established = listOf(at(old, 'status', 'conditions')).some(
    (condition) => at(condition, 'type') === 'Established' && at(condition, 'status') === 'True',
  )
  const whenEstablished = [['scope'], ['names', 'kind']]
  const always = [['group'], ['names', 'plural']]
  return [...(established ? whenEstablished : []), ...always].flatMap((path) => {
    const [now, before] = [at(crd, 'spec', ...path), at(old, 'spec', ...path)]
    return sameJson(now, before) ? [] : [invalidValue(child('spec', ...path), now ?? '', IMMUTABLE)]
  })
}

/**
 * What the server would refuse in a CustomResourceDefinition (after defaults): names, versions, structural schemas, CEL.
 * On an update, `old` is what is stored. The estimated costs of rules are not looked at.
 */
export function validateCustomResourceDefinition(crd: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(crd.spec)
  return [
    ...(old === undefined ? createIssues(crd) : validateObjectMetaUpdate(crd, old)),
    ...specIssues(spec),
    ...(old === undefined ? [] : immutableIssues(crd, old)),
    ...statusIssues(crd),
    ...approvalIssues(crd),
    ...preserveIssues(crd),
  ]
}
