import type { FieldError } from '../api/field-error.ts'
import { isRecord } from '../base/is-record.ts'

/** The texts of a map, by key. Values of other types are dropped. */
export const textsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(isRecord(value) ? value : {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  )

/** Parses JSON as an object of one kind. If it is invalid, lists the errors. */
export function readObject(
  text: string,
  apiVersion: string,
  kind: string,
): { object: Record<string, unknown> } | { errors: FieldError[] } {
  let object: unknown
  try {
    object = JSON.parse(text)
  } catch (error) {
    return { errors: [{ code: 'UNPARSABLE', path: '', problem: `this is not JSON: ${(error as Error).message}` }] }
  }
  if (!isRecord(object)) return { errors: [{ code: 'UNPARSABLE', path: '', problem: 'this is not an object' }] }
  const errors: FieldError[] = []
  for (const [path, allowed] of [
    ['apiVersion', apiVersion],
    ['kind', kind],
  ] as const)
    if (object[path] !== allowed)
      errors.push({
        code: 'NOT_ALLOWED',
        path,
        problem: 'this server accepts only one value',
        given: object[path],
        allowed,
      })
  return errors.length > 0 ? { errors } : { object }
}
