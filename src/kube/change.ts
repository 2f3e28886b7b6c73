/** The change of one object. `old`, and the `object` of a deletion, are the last known state. */
export type Change<T> =
  | { type: 'added'; key: string; object: T }
  | { type: 'updated'; key: string; object: T; old: T }
  /** `missed`: no event showed the deletion; a list no longer had the object. `object` may then be outdated. */
  | { type: 'deleted'; key: string; object: T; missed: boolean }

/**
 * Merges two unseen changes of one key: undefined if nothing remains. A deletion followed by an addition is an update
 * whose objects have different uids.
 */
export function mergeChanges<T>(older: Change<T>, newer: Change<T>): Change<T> | undefined {
  const { key } = newer
  if (newer.type === 'deleted') return older.type === 'added' ? undefined : newer
  if (older.type === 'added') return { type: 'added', key, object: newer.object }
  return { type: 'updated', key, object: newer.object, old: older.type === 'updated' ? older.old : older.object }
}
