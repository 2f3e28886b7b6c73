import type { Vocabulary } from './schema/node.ts'

/**
 * Converts only ASCII letters to lower case, as the CEL rules of the CRDs do. JavaScript's toLowerCase also converts
 * the Kelvin sign to `k`.
 */
export const asciiLower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

const indexes = new WeakMap<Vocabulary, ReadonlyMap<string, string>>()

function indexOf(words: Vocabulary): ReadonlyMap<string, string> {
  const known = indexes.get(words)
  if (known !== undefined) return known
  const pairs = Object.entries(words).flatMap(([word, shorts]) =>
    [word, ...shorts].map((form) => [form, word] as const),
  )
  const index = new Map(pairs)
  indexes.set(words, index)
  return index
}

/**
 * Returns the word that `text` is or abbreviates, in any case: `READ` and `r` are `read`. A short form that the
 * vocabulary has in upper case must be in upper case in the text (`R` is rbind, `r` is ro). Returns undefined for any
 * other text.
 */
export function findWord(words: Vocabulary, text: string): string | undefined {
  const index = indexOf(words)
  return index.get(text) ?? index.get(asciiLower(text))
}

/** All words with their short forms, for error messages: `read (r), write (w)`. */
export function listWords(words: Vocabulary): string {
  return Object.entries(words)
    .map(([word, shorts]) => (shorts.length === 0 ? word : `${word} (${shorts.join(', ')})`))
    .join(', ')
}
