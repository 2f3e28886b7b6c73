import type { FieldIssue } from '../field-issue.ts'
import { isTrue } from '../http/request-info.ts'
import { badRequest, invalid } from '../status.ts'

/** The options of a list or watch, checked. */
export interface ListOptions {
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly limit: number
  readonly continue: string
  /** As sent; empty for none. */
  readonly resourceVersion: string
  readonly match: '' | 'Exact' | 'NotOlderThan'
  readonly timeoutSeconds: number | undefined
  readonly bookmarks: boolean
  readonly sendInitialEvents: boolean | undefined
}

/** @throws {ApiStatusError} 400 for what cannot be read, 422 for what does not go together */
export function listOptions(query: URLSearchParams, watch: boolean): ListOptions {
  const timeout = numberOf(query, 'timeoutSeconds')
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: numberOf(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    match: (query.get('resourceVersionMatch') ?? '') as ListOptions['match'],
    timeoutSeconds: timeout,
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: query.has('sendInitialEvents') ? isTrue(query.get('sendInitialEvents')) : undefined,
  }
  const issues = watch ? watchIssues(options) : listIssues(options)
  if (issues.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', issues)
  return options
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

const field = 'resourceVersionMatch'
const forbiddenMatch = (detail: string): FieldIssue => ({ type: 'FieldValueForbidden', field, detail })

function listIssues(options: ListOptions): FieldIssue[] {
  const { match, resourceVersion, sendInitialEvents } = options
  const issues: FieldIssue[] = []
  if (match !== '') {
    if (resourceVersion === '')
      issues.push(forbiddenMatch('resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (options.continue !== '')
      issues.push(forbiddenMatch('resourceVersionMatch is forbidden when continue is provided'))
    if (match !== 'Exact' && match !== 'NotOlderThan')
      issues.push({
        type: 'FieldValueNotSupported',
        field,
        value: match,
        detail: 'supported values: "Exact", "NotOlderThan", ""',
      })
    if (match === 'Exact' && resourceVersion === '0')
      issues.push(forbiddenMatch('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  if (sendInitialEvents !== undefined)
    issues.push({
      type: 'FieldValueForbidden',
      field: 'sendInitialEvents',
      detail: 'sendInitialEvents is forbidden for list',
    })
  return issues
}

function watchIssues({ match, sendInitialEvents, ...options }: ListOptions): FieldIssue[] {
  const issues: FieldIssue[] = []
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    issues.push(forbiddenMatch('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  if (match === '') return issues
  if (sendInitialEvents === undefined)
    issues.push(forbiddenMatch('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
  if (match !== 'NotOlderThan')
    issues.push({ type: 'FieldValueNotSupported', field, value: match, detail: 'supported values: "NotOlderThan"' })
  if (options.continue !== '')
    issues.push(forbiddenMatch('resourceVersionMatch is forbidden when continue is provided'))
  return issues
}
