import type { ProfilePlace } from '../../../src/profile/bpf/places.ts'

/** Has each table of a profile written to a place of its own, from that index on. */
export function countedTables(first = 1): ProfilePlace['placeTable'] {
  let next = first
  return () => ({ index: next++, isNew: true })
}
