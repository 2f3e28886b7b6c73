import { BoundedMap } from './bounded-map.ts'
import type { Quota } from './room.ts'

/** Names without a value. */
export type Words = BoundedMap<true>

const nothing = (): void => undefined
const present = (): true => true

/** At most so many names. */
export const newWords = (limit: number, room?: Quota): Words => new BoundedMap<true>(limit, nothing, room)

/** They go, and what they took is free. */
export const dropWords = (words: Words): void => words.release()

export function addWords(words: Words, names: readonly string[]): void {
  for (const name of names) words.at(name, present)
}

export const joinWords = (into: Words, from: Words): void => into.merge(from, present)

/** In the order of code units. */
export const wordsOf = (words: Words): string[] => words.sorted().map(([name]) => name)
