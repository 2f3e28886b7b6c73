import { ConnectionError, isExpired, isTooLargeVersion } from './api-error.ts'
import type { ListOptions } from './requests.ts'

/**
 * The list to request. The reasons are those of client-go's reflector:
 *
 * - `cache`, the first time: `resourceVersion=0` lets the server answer from memory, however many clients start at
 *   once. Its data may be slightly old; the following watch brings the rest. Its cache ignores `limit`, which is sent
 *   for servers without a cache.
 * - `known`, after a watch lost its place: at least as new as our data, so that nothing goes back in time, and again
 *   from memory. On older servers any `limit` would bypass the cache to etcd, so none is sent.
 * - `paged`, if the server cannot do that (the version was compacted, the server lags, the answer is too large): the
 *   most recent data, page by page. From etcd, or from a snapshot of the cache since 1.34.
 * - `whole`, if pages expire before the last one: the most recent data, in one piece.
 */
export type ListWay = 'cache' | 'known' | 'paged' | 'whole'

export const PAGE = 500

export function listOptions(way: ListWay, known: string | undefined): ListOptions {
  switch (way) {
    case 'cache':
      return { resourceVersion: '0', limit: PAGE }
    case 'known':
      return known === undefined ? listOptions('cache', known) : { resourceVersion: known }
    case 'paged':
      return { limit: PAGE }
    case 'whole':
      return {}
  }
}

/** Whether the answer exceeds its limit: the same request will give the same. */
export const isTooLong = (error: unknown): boolean => error instanceof ConnectionError && error.code === 'TOO_LARGE'

/**
 * Number of objects on a page. Tenants decide how large objects are: 500 may exceed any answer that is read, and
 * repeating the same page request would never end.
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

  /** After a page that was too large. @returns false if it had only one object */
  shrink(): boolean {
    if (this.#size === 1) return false
    this.#size = Math.max(1, Math.floor(this.#size / 4))
    return true
  }

  /** After a page that was read: the next one may have more objects. */
  grow(): void {
    this.#size = Math.min(this.#max, this.#size * 2)
  }
}

/** The way to try after this one failed. */
export function nextWay(way: ListWay, error: unknown): ListWay {
  if (way === 'whole') return 'paged'
  if (way === 'paged') return isExpired(error) ? 'whole' : 'paged'
  return isTooLong(error) || isExpired(error) || isTooLargeVersion(error) ? 'paged' : way
}
