import { goJson, goNumber } from './go-text.ts'
import type { JsonValue } from './schema/json.ts'

/** Texts for the types of errors of a field. A type is also the `reason` of a cause in a Status. */
const words = {
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

export type FieldIssueType = keyof typeof words

/** One error of an object: apimachinery's `field.Error` (pkg/util/validation/field). */
export interface FieldIssue {
  type: FieldIssueType
  /** In the server's notation: `spec.containers[0].name`, `metadata.labels`; `<nil>` for the whole object. */
  field: string
  /**
   * The wrong value. If absent, the text shows no value: some types never show it, and CRD validation omits some
   * values.
   */
  value?: JsonValue
  detail: string
}

const withoutValue = /Required|Forbidden|TooLong|TooShort|Internal/

/** The text of an error without its field: the message of a cause. */
export function issueBody({ type, value, detail }: FieldIssue): string {
  const shown = typeof value === 'number' ? goNumber(value) : value === undefined ? '' : goJson(value)
  return [words[type], withoutValue.test(type) ? '' : shown, detail].filter((text) => text !== '').join(': ')
}

/** The text of an error with its field. */
export const issueText = (issue: FieldIssue): string => `${issue.field}: ${issueBody(issue)}`

/** All errors in one text. Equal errors occur once; several errors are in brackets. */
export function issuesText(issues: readonly FieldIssue[]): string {
  const texts = [...new Set(issues.map(issueText))]
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`
}

/** A field below another field: `child('spec', 'replicas')`. Below the whole object, the result is the field alone. */
export const child = (field: string, ...names: string[]): string =>
  [field, ...names].filter((part) => part !== '').join('.')
/** An item of a list. */
export const item = (field: string, index: number): string => `${field}[${index}]`
/** An entry of a map, such as `spec.selector[app]`. */
export const key = (field: string, name: string): string => `${field}[${name}]`

const ofValue =
  (type: FieldIssueType) =>
  (field: string, value: JsonValue, detail = ''): FieldIssue => ({ type, field, value, detail })
const withoutOne =
  (type: FieldIssueType) =>
  (field: string, detail = ''): FieldIssue => ({ type, field, detail })

export const required = withoutOne('FieldValueRequired')
export const forbiddenField = withoutOne('FieldValueForbidden')
export const invalidValue = ofValue('FieldValueInvalid')
export const typeInvalid = ofValue('FieldValueTypeInvalid')
export const duplicate = ofValue('FieldValueDuplicate')
export const notFoundValue = ofValue('FieldValueNotFound')

/** Lists the values in the given order. The server sorts most of its sets, so sort them first. */
export const notSupported = (field: string, value: JsonValue, supported: readonly string[]): FieldIssue =>
  ofValue('FieldValueNotSupported')(
    field,
    value,
    supported.length === 0 ? '' : `supported values: ${supported.map((one) => JSON.stringify(one)).join(', ')}`,
  )

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

/** The text has too many bytes. */
export const tooLong = (field: string, maximum: number): FieldIssue =>
  withoutOne('FieldValueTooLong')(field, `may not be more than ${plural(maximum, 'byte')}`)
export const tooMany = (field: string, count: number, maximum: number): FieldIssue =>
  ofValue('FieldValueTooMany')(field, count, `must have at most ${plural(maximum, 'item')}`)
