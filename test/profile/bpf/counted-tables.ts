import type { ProfilePlace } from '../../../src/profile/bpf/places.ts'

/** Gives each table of a profile its own place, with indexes from `first` on. */
export function countedTables(first = 1): ProfilePlace['placeTable'] {
  let next = first
  return () => ({ index: next++, isNew: true })
}
