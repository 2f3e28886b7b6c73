import { ConnectionError, isExpired, isTooLargeVersion } from './api-error.ts'
import type { ListOptions } from './requests.ts'

/**
 * How to request a list: `cache` is the first way, and `nextWay` chooses the next way after a failure. The ways and
 * their reasons are those of client-go's reflector.
 */
export type ListWay = 'cache' | 'known' | 'paged' | 'whole'

export const PAGE = 500

export function listOptions(way: ListWay, known: string | undefined): ListOptions {
  switch (way) {
    // `resourceVersion=0` lets the server answer from its cache, even if many clients start at once. The data may be
    // slightly old; the watch that follows brings newer changes. Only a server without a cache uses the `limit`.
    case 'cache':
      return { resourceVersion: '0', limit: PAGE }
    // After a watch that cannot continue: data at least as new as ours, again from the cache. There is no `limit`,
    // because older servers would then bypass the cache.
    case 'known':
      return known === undefined ? listOptions('cache', known) : { resourceVersion: known }
    // The version was compacted, the server lags, or the answer was too large: the most recent data, page by page, from
    // etcd, or since Kubernetes 1.34 from a snapshot of the cache.
    case 'paged':
      return { limit: PAGE }
    // The paged list expired before its last page: the most recent data, in one answer.
    case 'whole':
      return {}
  }
}

/** Whether the answer was too large. A retry of the same request would fail again. */
export const isTooLong = (error: unknown): boolean => error instanceof ConnectionError && error.code === 'TOO_LARGE'

/**
 * Number of objects on a page. Tenants decide how large objects are, so 500 objects may exceed the maximum answer. A
 * retry with the same number would fail again.
 */
export class PageSize {
  readonly #max: number
  #size: number

  constructor(max = PAGE) {
    this.#max = max
    this.#size = max
  }

  get size(): number {
    return this.#size
  }

  /** Call this after a page that was too large. @returns false if the page had only one object */
  shrink(): boolean {
    if (this.#size === 1) return false
    this.#size = Math.max(1, Math.floor(this.#size / 4))
    return true
  }

  /** Call this after a page was read: the next page may have more objects. */
  grow(): void {
    this.#size = Math.min(this.#max, this.#size * 2)
  }
}

/** The way to try next, after this way failed. */
export function nextWay(way: ListWay, error: unknown): ListWay {
  if (way === 'whole') return 'paged'
  if (way === 'paged') return isExpired(error) ? 'whole' : 'paged'
  return isTooLong(error) || isExpired(error) || isTooLargeVersion(error) ? 'paged' : way
}
