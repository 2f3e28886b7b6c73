import { type FieldError, join } from '../../api/field-error.ts'
import { findWord, listWords } from '../../api/vocabulary.ts'
import type { Verdict } from './bpf-profile.ts'

export type Words = Parameters<typeof findWord>[0]

/** The words of a list by their full names; one that is none becomes an error. */
export function readWords(given: readonly string[], words: Words, path: string, errors: FieldError[]): string[] {
  return given.flatMap((text, i) => {
    const word = findWord(words, text)
    if (word !== undefined) return [word]
    const problem = 'unknown value'
    errors.push({ code: 'NOT_ALLOWED', path: join(path, i), given: text, problem, allowed: listWords(words) })
    return []
  })
}

/** What the qualifiers of a raw rule ask for; without them it is treated as the built-in rules of its policy are. */
export function verdictOf(qualifiers: readonly string[] | undefined, ofPolicy: Verdict): Verdict {
  if (qualifiers === undefined) return ofPolicy
  const named = qualifiers.map((text) => text.toLowerCase())
  return { deny: named.includes('deny'), audit: named.includes('audit') }
}
