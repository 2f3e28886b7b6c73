import type { KubeObject } from '../kube-object.ts'
import { badRequest } from '../status.ts'

/** One term of a field selector: `metadata.name=x`, or with `!=`. */
export interface FieldTerm {
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

/** The text that an object has in a field, as field selectors compare it: absent is empty. */
export type FieldReader = (object: KubeObject, field: string) => string

/**
 * Parses `fieldSelector`. The texts are those of apimachinery (pkg/fields).
 * @throws {ApiStatusError} 400
 */
export function parseFieldSelector(text: string): FieldTerm[] {
  return splitTerms(text)
    .filter((part) => part !== '')
    .map((part) => {
      const found = /^(.*?)(!=|==|=)(.*)$/s.exec(part)
      if (!found) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`)
      return { field: found[1]!, equal: found[2] !== '!=', value: unescaped(found[3]!) }
    })
}

export function matchesFields(terms: readonly FieldTerm[], object: KubeObject, read: FieldReader): boolean {
  return terms.every(({ field, equal, value }) => (read(object, field) === value) === equal)
}

/** Splits at commas that no backslash precedes. */
function splitTerms(text: string): string[] {
  return text.match(/(?:\\.|[^,\\])+|\\$/gs) ?? []
}

function unescaped(value: string): string {
  if (/^(?:[^\\,=]|\\[\\,=])*$/.test(value)) return value.replace(/\\([\\,=])/g, '$1')
  const bad = /\\[^\\,=]/.exec(value)?.[0]
  if (bad) throw badRequest(`invalid field selector: invalid escape sequence: ${bad}`)
  throw badRequest(`invalid field selector: unescaped character in value: ${value}`)
}
