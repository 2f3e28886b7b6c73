import { ConnectionError, isExpired, isTooLargeVersion } from './api-error.ts'
import type { ListOptions } from './requests.ts'

/**
 * Which list to ask for. The reasons are those of client-go's reflector:
 *
 * - `cache`, the first time: `resourceVersion=0` lets the server answer from memory, however many clients start at once.
 *   What it has may be a little old; the watch that follows brings the rest. Its cache ignores `limit` here, which is sent
 *   for servers without one.
 * - `known`, after a watch lost its place: at least as new as what we have, so that nothing goes back in time, and again
 *   from memory. Any `limit` would send the request past the cache of older servers to etcd, so none is sent.
 * - `paged`, when the server cannot do that (the version is compacted, the server is behind, the answer too large): the
 *   most recent, page by page. From etcd, or from a snapshot of the cache since 1.34.
 * - `whole`, when pages expire before we come to the last one: the most recent, in one piece.
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

/** Whether the answer is longer than its bound: as long as the same is asked for, it stays so. */
export const isTooLong = (error: unknown): boolean => error instanceof ConnectionError && error.code === 'TOO_LARGE'

/**
 * How many objects a page has. Tenants say how large objects are: 500 of them may be longer than any answer that is read, and
 * a list that asks for the same page again and again never ends.
 */
export class PageSize {
  readonly #most: number
  #size: number

  constructor(most = PAGE) {
    this.#most = most
    this.#size = most
  }

  get size(): number {
    return this.#size
  }

  /** For a page that was too long. @returns false if the page had one object only */
  shrink(): boolean {
    if (this.#size === 1) return false
    this.#size = Math.max(1, Math.floor(this.#size / 4))
    return true
  }

  /** For a page that was read: the next one may have more objects. */
  grow(): void {
    this.#size = Math.min(this.#most, this.#size * 2)
  }
}

/** The way to try after this one failed. */
export function nextWay(way: ListWay, error: unknown): ListWay {
  if (way === 'whole') return 'paged'
  if (way === 'paged') return isExpired(error) ? 'whole' : 'paged'
  return isTooLong(error) || isExpired(error) || isTooLargeVersion(error) ? 'paged' : way
}
