import { child, type FieldIssue, invalidValue, item, notSupported, required } from '../field-issue.ts'
import { at, isObject, type JsonObject, listOf, objectOf, sameJson, textOf } from './json.ts'
import { IMMUTABLE } from './metadata.ts'
import { label1035Problems, subdomainProblems } from './names.ts'
import type { OpenApiSchema } from './open-api-schema.ts'
import { definitionSchemaIssues } from './structural.ts'

const joined = (field: string, value: string, problems: readonly string[], before = ''): FieldIssue[] =>
  problems.length === 0 ? [] : [invalidValue(field, value, before + problems.join(','))]

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

function namesIssues(names: JsonObject): FieldIssue[] {
  return ['plural', 'singular', 'kind', 'listKind'].flatMap((name) => {
    const [field, value] = [child('spec.names', name), textOf(names[name])]
    if (value === '') return [required(field)]
    const isMixed = name === 'kind' || name === 'listKind'
    const before = isMixed ? 'may have mixed case, but should otherwise match: ' : ''
    return joined(field, value, label1035Problems(isMixed ? value.toLowerCase() : value), before)
  })
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']

function columnIssues(column: JsonObject, field: string): FieldIssue[] {
  const [type, path] = [textOf(column.type), textOf(column.jsonPath)]
  const oneOf = `must be one of ${columnTypes.join(',')}`
  const pathField = child(field, 'JSONPath')
  const simple = 'must be a simple json path starting with .'
  return [
    ...(textOf(column.name) === '' ? [required(child(field, 'name'))] : []),
    ...(columnTypes.includes(type) ? [] : [invalidValue(child(field, 'type'), type, oneOf)]),
    ...(path.startsWith('.') ? [] : [path === '' ? required(pathField) : invalidValue(pathField, path, simple)]),
  ]
}

const columnsIssues = (version: JsonObject, field: string): FieldIssue[] =>
  listOf(version.additionalPrinterColumns).flatMap((column, index) =>
    columnIssues(objectOf(column), item(child(field, 'additionalPrinterColumns'), index)),
  )

function schemaIssues(version: JsonObject, field: string): FieldIssue[] {
  const schema = at(version, 'schema', 'openAPIV3Schema')
  if (!isObject(schema)) return []
  return definitionSchemaIssues(schema as unknown as OpenApiSchema, child(field, 'openAPIV3Schema'))
}

const isCommon = (versions: readonly JsonObject[], part: string): boolean =>
  versions.every((version) => sameJson(version[part] ?? null, versions[0]?.[part] ?? null))

/**
 * The errors of parts that all versions may share. If all versions have an equal schema or equal columns, the server
 * keeps them at the top of the spec, and reports errors there.
 */
function partIssues(versions: readonly JsonObject[]): FieldIssue[] {
  const each = (issues: (version: JsonObject, field: string) => FieldIssue[], below: string) =>
    versions.flatMap((version, index) => issues(version, child(item('spec.versions', index), below)))
  const first = versions[0] ?? {}
  return [
    ...(isCommon(versions, 'schema') ? schemaIssues(first, 'spec.validation') : each(schemaIssues, 'schema')),
    ...(isCommon(versions, 'additionalPrinterColumns') ? columnsIssues(first, 'spec') : each(columnsIssues, '')),
  ]
}

function versionsIssues(versions: readonly JsonObject[]): FieldIssue[] {
  const field = 'spec.versions'
  const names = versions.map(({ name }) => textOf(name))
  const stored = versions.filter(({ storage }) => storage === true).length
  const shown = [...versions]
  return [
    ...versions.flatMap((version, index) => [
      ...(isObject(at(version, 'schema', 'openAPIV3Schema'))
        ? []
        : [required(child(item(field, index), 'schema', 'openAPIV3Schema'))]),
      ...joined(child(item(field, index), 'name'), textOf(version.name), label1035Problems(textOf(version.name))),
    ]),
    ...(new Set(names).size === names.length ? [] : [invalidValue(field, shown, 'must contain unique version names')]),
    ...(stored === 1 ? [] : [invalidValue(field, shown, 'must have exactly one version marked as storage version')]),
    ...partIssues(versions),
  ]
}

function storedIssues(crd: JsonObject, versions: readonly JsonObject[]): FieldIssue[] {
  const stored = listOf(at(crd, 'status', 'storedVersions')).map(textOf)
  const field = 'status.storedVersions'
  const names = versions.map(({ name }) => textOf(name))
  const unstored = versions.filter(({ storage, name }) => storage === true && !stored.includes(textOf(name)))
  const gone = (name: string): string =>
    `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`
  return [
    ...unstored.map(({ name }) => invalidValue(field, stored, `must have the storage version ${textOf(name)}`)),
    ...stored.flatMap((name, index) =>
      names.includes(name) ? [] : [invalidValue(item(field, index), name, gone(name))],
    ),
  ]
}

function nameIssues(crd: JsonObject): FieldIssue[] {
  const wanted = `${textOf(at(crd, 'spec', 'names', 'plural'))}.${textOf(at(crd, 'spec', 'group'))}`
  const name = textOf(at(crd, 'metadata', 'name'))
  if (name === '' || name === wanted) return []
  return [invalidValue('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]
}

const fixed = [['scope'], ['names', 'kind'], ['group'], ['names', 'plural']]

const fixedIssues = (crd: JsonObject, old: JsonObject): FieldIssue[] =>
  fixed.flatMap((path) => {
    const [now, before] = [at(crd, 'spec', ...path), at(old, 'spec', ...path)]
    return sameJson(now, before) ? [] : [invalidValue(child('spec', ...path), now ?? '', IMMUTABLE)]
  })

/**
 * The errors that the server would report for a CustomResourceDefinition after defaults, except errors of its metadata:
 * names, versions, structural schemas, CEL. On an update, `old` is the stored object. Estimated costs of rules are not
 * checked.
 */
export function validateCustomResourceDefinition(crd: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(crd.spec)
  const versions = listOf(spec.versions).map(objectOf)
  return [
    ...(old === undefined ? nameIssues(crd) : fixedIssues(crd, old)),
    ...groupIssues(textOf(spec.group)),
    ...scopeIssues(textOf(spec.scope)),
    ...namesIssues(objectOf(spec.names)),
    ...versionsIssues(versions),
    ...storedIssues(crd, versions),
  ]
}
