import type { Vocabulary } from './schema/node.ts'

/** ASCII only, as the CRD's CEL does it: JavaScript's own lower-casing makes a `k` of the Kelvin sign. */
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
 * The word of a vocabulary that `text` is or abbreviates, in any case: `READ` and `r` are `read`. A short form that is upper-case
 * in the vocabulary is taken only so (`R` is rbind, `r` is ro). Undefined for anything else.
 */
export function findWord(words: Vocabulary, text: string): string | undefined {
  const index = indexOf(words)
  return index.get(text) ?? index.get(asciiLower(text))
}

/** Every word with its short forms, as an error message lists them: `read (r), write (w)`. */
export function listWords(words: Vocabulary): string {
  return Object.entries(words)
    .map(([word, shorts]) => (shorts.length === 0 ? word : `${word} (${shorts.join(', ')})`))
    .join(', ')
}
