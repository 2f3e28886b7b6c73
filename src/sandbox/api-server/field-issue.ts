import { goJson, goNumber, goQuote } from './go-text.ts'
import type { JsonValue } from './schema/json.ts'

/** What can be wrong with a field: apimachinery's `field.ErrorType`, also the `reason` of a cause in a Status. */
export type FieldIssueType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTooFew'
  | 'FieldValueTooShort'
  | 'FieldValueTypeInvalid'
  | 'InternalError'

/** One thing wrong with an object: apimachinery's `field.Error` (pkg/util/validation/field). */
export interface FieldIssue {
  type: FieldIssueType
  /** As the server writes it: `spec.containers[0].name`, `metadata.labels`; `<nil>` for the whole object. */
  field: string
  /** The value that is wrong. Left out, the text has none: some types never show it, and CRD validation omits some. */
  value?: JsonValue
  detail: string
}

const words: Record<FieldIssueType, string> = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTooFew: 'Too few',
  FieldValueTooShort: 'Too short',
  FieldValueTypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
}

const withoutValue: ReadonlySet<FieldIssueType> = new Set<FieldIssueType>([
  'FieldValueRequired',
  'FieldValueForbidden',
  'FieldValueTooLong',
  'FieldValueTooShort',
  'InternalError',
])

function shown(value: JsonValue): string {
  if (typeof value === 'string') return goQuote(value)
  if (typeof value === 'number') return goNumber(value)
  return goJson(value)
}

/** The text without the field, `ErrorBody()`: the message of a cause. */
export function issueBody(issue: FieldIssue): string {
  const word = words[issue.type]
  const value = withoutValue.has(issue.type) || issue.value === undefined ? '' : `: ${shown(issue.value)}`
  return `${word}${value}${issue.detail === '' ? '' : `: ${issue.detail}`}`
}

/** The text with the field, `Error()`. */
export const issueText = (issue: FieldIssue): string => `${issue.field}: ${issueBody(issue)}`

/** All issues in one text, `ToAggregate().Error()`: each once, in brackets when there are several. */
export function issuesText(issues: readonly FieldIssue[]): string {
  const texts = [...new Set(issues.map(issueText))]
  return texts.length === 1 ? (texts[0] as string) : `[${texts.join(', ')}]`
}

/** A field below another: `child('spec', 'replicas')`; below the whole object the field alone. */
export const child = (field: string, ...names: string[]): string =>
  [field, ...names].filter((part) => part !== '').join('.')
/** An item of a list. */
export const item = (field: string, index: number): string => `${field}[${index}]`
/** An entry of a map, `spec.selector[app]`. */
export const key = (field: string, name: string): string => `${field}[${name}]`

export const required = (field: string, detail = ''): FieldIssue => ({ type: 'FieldValueRequired', field, detail })
export const invalidValue = (field: string, value: JsonValue, detail: string): FieldIssue => ({
  type: 'FieldValueInvalid',
  field,
  value,
  detail,
})
export const typeInvalid = (field: string, value: JsonValue, detail: string): FieldIssue => ({
  type: 'FieldValueTypeInvalid',
  field,
  value,
  detail,
})
export const duplicate = (field: string, value: JsonValue): FieldIssue => ({
  type: 'FieldValueDuplicate',
  field,
  value,
  detail: '',
})
export const notFoundValue = (field: string, value: JsonValue): FieldIssue => ({
  type: 'FieldValueNotFound',
  field,
  value,
  detail: '',
})
export const forbiddenField = (field: string, detail: string): FieldIssue => ({
  type: 'FieldValueForbidden',
  field,
  detail,
})

/** The values are listed in the order given; the server sorts most of its sets, so give them sorted. */
export const notSupported = (field: string, value: JsonValue, supported: readonly string[]): FieldIssue => ({
  type: 'FieldValueNotSupported',
  field,
  value,
  detail: supported.length === 0 ? '' : `supported values: ${supported.map(goQuote).join(', ')}`,
})

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

/** More bytes than a text may have. */
export const tooLong = (field: string, maximum: number): FieldIssue => ({
  type: 'FieldValueTooLong',
  field,
  detail: `may not be more than ${plural(maximum, 'byte')}`,
})
/** More characters than a text may have. */
export const tooLongCharacters = (field: string, maximum: number): FieldIssue => ({
  type: 'FieldValueTooLong',
  field,
  detail: `may not be more than ${plural(maximum, 'character')}`,
})
export const tooMany = (field: string, count: number, maximum: number): FieldIssue => ({
  type: 'FieldValueTooMany',
  field,
  value: count,
  detail: `must have at most ${plural(maximum, 'item')}`,
})
