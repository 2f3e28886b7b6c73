/** The change of one object. `old`, and `object` of a deletion, are the last known state. */
export type Change<T> =
  | { type: 'added'; key: string; object: T }
  | { type: 'updated'; key: string; object: T; old: T }
  /** `missed`: the object was missing in a list, without an event about its deletion. Then `object` may be outdated. */
  | { type: 'deleted'; key: string; object: T; missed: boolean }

/**
 * Merges two changes of one key that were not handled yet; undefined if they cancel each other. A deletion and a later
 * addition become an update whose objects have different uids.
 */
export function mergeChanges<T>(older: Change<T>, newer: Change<T>): Change<T> | undefined {
  const { key } = newer
  if (newer.type === 'deleted') return older.type === 'added' ? undefined : newer
  if (older.type === 'added') return { type: 'added', key, object: newer.object }
  return { type: 'updated', key, object: newer.object, old: older.type === 'updated' ? older.old : older.object }
}
