import { type FieldIssue, forbiddenField, notSupported, required } from '../field-issue.ts'
import { isTrue } from '../http/request-info.ts'
import { deepFreeze } from '../kube-object.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import { badRequest, invalid } from '../status.ts'

const field = 'resourceVersionMatch'

/** Refuses a request with all errors of its options. @throws {ApiStatusError} 422 */
function refuse(kind: string, issues: readonly (FieldIssue | false)[]): void {
  const found = issues.filter((issue) => issue !== false)
  if (found.length > 0) throw invalid({ group: 'meta.k8s.io', kind }, '', found)
}

const forbidden = (isWrong: boolean, field: string, detail: string): FieldIssue | false =>
  isWrong && forbiddenField(field, detail)

const oneOf = (field: string, value: string, values: readonly string[]): FieldIssue | false =>
  !values.includes(value) && notSupported(field, value, values)

/** Validated options of a list or watch. */
export interface ListOptions {
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly limit: number
  readonly continue: string
  /** The text that the client sent; empty if there is none. */
  readonly resourceVersion: string
  readonly match: string
  readonly timeoutSeconds: number
  readonly bookmarks: boolean
  readonly sendInitialEvents: boolean | undefined
}

/** @throws {ApiStatusError} 400 for unreadable options, 422 for contradictions */
export function listOptions(query: URLSearchParams, watch: boolean): ListOptions {
  const match = query.get(field) ?? ''
  const resourceVersion = query.get('resourceVersion') ?? ''
  const initial = query.get('sendInitialEvents')
  const isUnguarded = watch && initial !== null && match !== 'NotOlderThan'
  refuse('ListOptions', [
    oneOf(field, match, ['Exact', 'NotOlderThan', '']),
    forbidden(isUnguarded, field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
    forbidden(
      !watch && match !== '' && resourceVersion === '',
      field,
      'resourceVersionMatch is forbidden unless resourceVersion is provided',
    ),
    forbidden(!watch && initial !== null, 'sendInitialEvents', 'sendInitialEvents is forbidden for list'),
  ])
  return {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: numberOf(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion,
    match,
    timeoutSeconds: numberOf(query, 'timeoutSeconds') ?? 0,
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
  }
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? ''
  if (text === '') return undefined
  if (!/^-?\d+$/.test(text)) throw badRequest(`${name}: ${JSON.stringify(text)} is not a number`)
  return Number(text)
}

/** The options of a create, update or patch. */
export interface WriteOptions {
  readonly dryRun: boolean
  readonly fieldManager: string
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  readonly force: boolean
  /** The options as admission webhooks receive them. */
  readonly object: JsonObject
}

const dryRunIssue = (values: string[]): FieldIssue | false =>
  values.some((value) => value !== 'All') && notSupported('dryRun', values, ['All'])

/** @throws {ApiStatusError} 422 for an unknown value */
export function writeOptions(query: URLSearchParams, kind: 'Create' | 'Update' | 'Patch', apply = false): WriteOptions {
  const fieldManager = query.get('fieldManager') ?? ''
  const fieldValidation = query.get('fieldValidation') ?? ''
  const dryRun = query.getAll('dryRun')
  refuse(`${kind}Options`, [
    apply && fieldManager === '' && required('fieldManager', 'is required for apply patch'),
    forbidden(!apply && query.has('force'), 'force', 'may not be specified for non-apply patch'),
    dryRunIssue(dryRun),
    oneOf('fieldValidation', fieldValidation, ['', 'Ignore', 'Strict', 'Warn']),
  ])
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: (fieldValidation || 'Warn') as WriteOptions['fieldValidation'],
    force: isTrue(query.get('force')),
    object: deepFreeze({
      // A patch becomes an update or a creation, and admission receives the options of that operation.
      kind: kind === 'Patch' ? 'UpdateOptions' : `${kind}Options`,
      apiVersion: 'meta.k8s.io/v1',
      ...(dryRun.length > 0 ? { dryRun } : {}),
      ...(fieldManager === '' ? {} : { fieldManager }),
      ...(fieldValidation === '' ? {} : { fieldValidation }),
    }),
  }
}

export interface DeleteOptions {
  readonly dryRun: boolean
  readonly gracePeriodSeconds: number | undefined
  readonly propagation: 'Background' | 'Foreground' | 'Orphan' | undefined
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string }
  readonly object: JsonObject
}

/**
 * The options of a delete, from the body; without a body, from the query.
 * @throws {ApiStatusError} 400 for a body of another kind, 422 for an unknown value
 */
export function deleteOptions(query: URLSearchParams, body: JsonObject | undefined): DeleteOptions {
  const raw = body ?? optionsOfQuery(query)
  if (!['', 'DeleteOptions'].includes(textOf(raw['kind'])))
    throw badRequest('decoded object cannot be converted to DeleteOptions')
  const propagation = textOf(raw['propagationPolicy'])
  const dryRun = listOf(raw['dryRun']).map(textOf)
  const grace = raw['gracePeriodSeconds']
  refuse('DeleteOptions', [
    propagation !== '' && oneOf('propagationPolicy', propagation, ['Foreground', 'Background', 'Orphan']),
    dryRunIssue(dryRun),
  ])
  return {
    dryRun: dryRun.length > 0,
    gracePeriodSeconds: typeof grace === 'number' ? (grace < 0 ? 1 : grace) : undefined,
    propagation: (propagation || undefined) as DeleteOptions['propagation'],
    preconditions: objectOf(raw['preconditions']) as DeleteOptions['preconditions'],
    object: deepFreeze({ ...raw, kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' }),
  }
}

function optionsOfQuery(query: URLSearchParams): JsonObject {
  const gracePeriodSeconds = numberOf(query, 'gracePeriodSeconds')
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(query.has('propagationPolicy') ? { propagationPolicy: query.get('propagationPolicy') } : {}),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  }
}
