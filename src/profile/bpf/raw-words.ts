import { type FieldError, join } from '../../api/field-error.ts'
import { findWord, listWords } from '../../api/vocabulary.ts'
import type { Verdict } from './bpf-profile.ts'

export type Words = Parameters<typeof findWord>[0]

/** Replaces the words of a list by their full names. An unknown word becomes an error. */
export function readWords(given: readonly string[], words: Words, path: string, errors: FieldError[]): string[] {
  return given.flatMap((text, i) => {
    const word = findWord(words, text)
    if (word !== undefined) return [word]
    const problem = 'unknown value'
    errors.push({ code: 'NOT_ALLOWED', path: join(path, i), given: text, problem, allowed: listWords(words) })
    return []
  })
}

/**
 * The verdict of a raw rule's qualifiers. Without qualifiers, the rule has the verdict of the policy's built-in rules.
 */
export function verdictOf(qualifiers: readonly string[] | undefined, ofPolicy: Verdict): Verdict {
  if (qualifiers === undefined) return ofPolicy
  const named = qualifiers.map((text) => text.toLowerCase())
  return { deny: named.includes('deny'), audit: named.includes('audit') }
}
