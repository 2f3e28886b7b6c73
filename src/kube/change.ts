/** What happened to one object. `old` and the `object` of a deletion are the last known state. */
export type Change<T> =
  | { type: 'added'; key: string; object: T }
  | { type: 'updated'; key: string; object: T; old: T }
  /** `missed`: nobody saw it go; a list did not have it any more. `object` may then be older than its end. */
  | { type: 'deleted'; key: string; object: T; missed: boolean }

/**
 * Two changes of one key as one, for whoever saw neither: undefined when nothing is left of them. What was deleted and
 * added again is an update, whose two objects have different uids.
 */
export function mergeChanges<T>(older: Change<T>, newer: Change<T>): Change<T> | undefined {
  const { key } = newer
  if (newer.type === 'deleted') return older.type === 'added' ? undefined : newer
  if (older.type === 'added') return { type: 'added', key, object: newer.object }
  return { type: 'updated', key, object: newer.object, old: older.type === 'updated' ? older.old : older.object }
}
