import type { FieldIssue } from '../field-issue.ts'
import { isTrue } from '../http/request-info.ts'
import { deepFreeze } from '../kube-object.ts'
import { isObject, type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import { badRequest, invalid } from '../status.ts'

/** The options of a create, update or patch. */
export interface WriteOptions {
  readonly dryRun: boolean
  readonly fieldManager: string
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  readonly force: boolean | undefined
  /** As admission webhooks see them. */
  readonly object: JsonObject
}

export interface DeleteOptions {
  readonly dryRun: boolean
  readonly gracePeriodSeconds: number | undefined
  readonly propagation: 'Background' | 'Foreground' | 'Orphan' | undefined
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
  readonly object: JsonObject
}

const metaGroup = 'meta.k8s.io'

/** @throws {ApiStatusError} 422 for a value that there is not */
export function writeOptions(query: URLSearchParams, kind: 'Create' | 'Update' | 'Patch', apply = false): WriteOptions {
  const fieldManager = query.get('fieldManager') ?? ''
  const fieldValidation = query.get('fieldValidation') ?? ''
  const force = query.has('force') ? isTrue(query.get('force')) : undefined
  const dryRun = query.getAll('dryRun')
  const issues = [
    ...(kind === 'Patch' ? patchIssues(apply, fieldManager, force) : []),
    ...managerIssues(fieldManager),
    ...dryRunIssues(dryRun),
    ...validationIssues(fieldValidation),
  ]
  if (issues.length > 0) throw invalid({ group: metaGroup, kind: `${kind}Options` }, '', issues)
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: fieldValidation === '' ? 'Warn' : (fieldValidation as WriteOptions['fieldValidation']),
    force,
    object: deepFreeze({
      // A patch is admitted as the update, or the creation, that it comes to.
      kind: kind === 'Patch' ? 'UpdateOptions' : `${kind}Options`,
      apiVersion: 'meta.k8s.io/v1',
      ...(dryRun.length > 0 ? { dryRun } : {}),
      ...(fieldManager === '' ? {} : { fieldManager }),
      ...(fieldValidation === '' ? {} : { fieldValidation }),
    }),
  }
}

function patchIssues(apply: boolean, fieldManager: string, force: boolean | undefined): FieldIssue[] {
  if (apply && fieldManager === '')
    return [{ type: 'FieldValueRequired', field: 'fieldManager', detail: 'is required for apply patch' }]
  if (!apply && force !== undefined)
    return [{ type: 'FieldValueForbidden', field: 'force', detail: 'may not be specified for non-apply patch' }]
  return []
}

function managerIssues(manager: string): FieldIssue[] {
  if (manager.length <= 128) return []
  return [{ type: 'FieldValueTooLong', field: 'fieldManager', detail: 'may not be more than 128 bytes' }]
}

function dryRunIssues(values: readonly string[]): FieldIssue[] {
  if (values.every((value) => value === 'All')) return []
  return [{ type: 'FieldValueNotSupported', field: 'dryRun', value: [...values], detail: 'supported values: "All"' }]
}

const validations = ['', 'Ignore', 'Strict', 'Warn']

function validationIssues(value: string): FieldIssue[] {
  if (validations.includes(value)) return []
  const detail = `supported values: ${validations.map((text) => JSON.stringify(text)).join(', ')}`
  return [{ type: 'FieldValueNotSupported', field: 'fieldValidation', value, detail }]
}

/**
 * The options of a delete: the body, or without one the query.
 * @throws {ApiStatusError} 400 for a body that is something else, 422 for a value that there is not
 */
export function deleteOptions(query: URLSearchParams, body: JsonObject | undefined): DeleteOptions {
  const raw = body ?? optionsOfQuery(query)
  const { kind } = raw
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions')
    throw badRequest('decoded object cannot be converted to DeleteOptions')
  const propagation = textOf(raw['propagationPolicy'])
  const orphan = raw['orphanDependents']
  const dryRun = listOf(raw['dryRun']).map(textOf)
  const issues = [...propagationIssues(propagation, orphan !== undefined), ...dryRunIssues(dryRun)]
  if (issues.length > 0) throw invalid({ group: metaGroup, kind: 'DeleteOptions' }, '', issues)
  const preconditions = objectOf(raw['preconditions'])
  const grace = raw['gracePeriodSeconds']
  return {
    dryRun: dryRun.length > 0,
    gracePeriodSeconds: typeof grace === 'number' ? (grace < 0 ? 1 : grace) : undefined,
    propagation: propagationOf(propagation, orphan),
    uid: preconditions['uid'] === undefined ? undefined : textOf(preconditions['uid']),
    resourceVersion:
      preconditions['resourceVersion'] === undefined ? undefined : textOf(preconditions['resourceVersion']),
    object: deepFreeze({ ...raw, kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' }),
  }
}

function optionsOfQuery(query: URLSearchParams): JsonObject {
  const options: JsonObject = {}
  if (query.has('gracePeriodSeconds')) options['gracePeriodSeconds'] = Number(query.get('gracePeriodSeconds'))
  if (query.has('propagationPolicy')) options['propagationPolicy'] = query.get('propagationPolicy')
  if (query.has('orphanDependents')) options['orphanDependents'] = isTrue(query.get('orphanDependents'))
  if (query.has('dryRun')) options['dryRun'] = query.getAll('dryRun')
  if (Number.isNaN(options['gracePeriodSeconds']))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(query.get('gracePeriodSeconds'))}: invalid syntax`)
  return options
}

function propagationIssues(policy: string, orphan: boolean): FieldIssue[] {
  const issues: FieldIssue[] = []
  const field = 'propagationPolicy'
  if (orphan && policy !== '')
    issues.push({
      type: 'FieldValueInvalid',
      field,
      value: policy,
      detail: 'orphanDependents and deletionPropagation cannot be both set',
    })
  if (!['', 'Foreground', 'Background', 'Orphan'].includes(policy))
    issues.push({
      type: 'FieldValueNotSupported',
      field,
      value: policy,
      detail: 'supported values: "Foreground", "Background", "Orphan", "nil"',
    })
  return issues
}

function propagationOf(policy: string, orphan: unknown): DeleteOptions['propagation'] {
  if (policy !== '') return policy as DeleteOptions['propagation']
  if (typeof orphan === 'boolean') return orphan ? 'Orphan' : 'Background'
  return undefined
}

/** Whether a body is there at all. */
export const bodyObject = (value: unknown): JsonObject | undefined => (isObject(value) ? value : undefined)
