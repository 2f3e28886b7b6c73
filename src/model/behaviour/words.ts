import { BoundedMap } from './bounded-map.ts'
import type { Quota } from './room.ts'

/** A bounded set of names. */
export type Words = BoundedMap<true>

const nothing = (): void => undefined
const present = (): true => true

/** A set of at most `limit` names. */
export const newWords = (limit: number, room?: Quota): Words => new BoundedMap<true>(limit, nothing, room)

/** Returns the bytes of the set to its quota. */
export const dropWords = (words: Words): void => words.release()

export function addWords(words: Words, names: readonly string[]): void {
  for (const name of names) words.at(name, present)
}

export const joinWords = (into: Words, from: Words): void => into.merge(from, present)

/** The names, sorted by code units. */
export const wordsOf = (words: Words): string[] => words.sorted().map(([name]) => name)
