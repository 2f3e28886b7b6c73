import type { KubeObject } from '../kube-object.ts'
import { badRequest } from '../status.ts'

/** One term of a field selector: `metadata.name=x` or `metadata.name!=x`. */
export interface FieldTerm {
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

/** Returns a field of an object as text for field selectors; empty if absent. */
export type FieldReader = (object: KubeObject, field: string) => string

/**
 * Parses `fieldSelector`, whose terms are separated by commas. A backslash escapes the next character.
 * @throws {ApiStatusError} 400
 */
export function parseFieldSelector(text: string): FieldTerm[] {
  return (text.match(/(?:\\.|[^,\\])+/gs) ?? []).map((part) => {
    const found = /^(.*?)(!=|==|=)(.*)$/s.exec(part)
    if (!found) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`)
    return { field: found[1]!, equal: found[2] !== '!=', value: found[3]!.replace(/\\(.)/g, '$1') }
  })
}

export const matchesFields = (terms: readonly FieldTerm[], object: KubeObject, read: FieldReader): boolean =>
  terms.every(({ field, equal, value }) => (read(object, field) === value) === equal)
