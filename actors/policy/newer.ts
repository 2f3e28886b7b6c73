interface Versioned {
  metadata: { uid?: string; resourceVersion?: string }
}

const decimal = /^[0-9]+$/

/**
 * Whether `one` is an older version of the same object than `other`. Versions may be compared as numbers (KEP-5504).
 */
function isOlder(one: Versioned, other: Versioned): boolean {
  const [a = '', b = ''] = [one.metadata.resourceVersion, other.metadata.resourceVersion]
  if (one.metadata.uid !== other.metadata.uid || !decimal.test(a) || !decimal.test(b)) return false
  return a.length === b.length ? a < b : a.length < b.length
}

/**
 * The newer of the stored object and the answer to our last write, because a store may lag behind. The store decides
 * whether an object was deleted or recreated.
 */
export function newest<T extends Versioned>(stored: T | undefined, written: T | undefined): T | undefined {
  return stored !== undefined && written !== undefined && isOlder(stored, written) ? written : stored
}
