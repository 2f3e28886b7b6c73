import { loadForkAddon } from './fork-addon.ts'
import { Forks } from './forks.ts'

/** Shared memory with the number of the current fork tree; 0 without a tree. */
export const forkNumber = (number = 0): Int32Array<SharedArrayBuffer> => {
  const shared = new Int32Array(new SharedArrayBuffer(4))
  shared[0] = number
  return shared
}

/**
 * The node's fork tree, for threads that did not open it. When a tree is broken or a better tree is available, a tree
 * with another number replaces it. The new tree gives the same keys to other processes, so check the number before you
 * use a stored key.
 */
export class CurrentForks {
  readonly #number: Int32Array
  readonly #addon: () => ConstructorParameters<typeof Forks>[1]
  #forks: Forks | undefined

  constructor(number: Int32Array, addon: () => ConstructorParameters<typeof Forks>[1] = loadForkAddon) {
    this.#number = number
    this.#addon = addon
  }

  /** Number of the tree of the last query. */
  get number(): number {
    return this.#forks?.number ?? 0
  }

  /** Like Forks.find. */
  find(...asked: Parameters<Forks['find']>): ReturnType<Forks['find']> {
    this.#poll()
    return this.#forks?.find(...asked)
  }

  /** Like Forks.reuses. The result also changes when another tree replaces the tree. */
  reuses(): number {
    this.#poll()
    return this.#forks?.reuses() ?? Number.NaN
  }

  /** Like Forks.confirm, for the tree of the last query. */
  confirm(key: number, containerID: string): boolean {
    return this.#forks?.confirm(key, containerID) ?? false
  }

  #poll(): void {
    const number = Atomics.load(this.#number, 0)
    if (number !== (this.#forks?.number ?? 0)) this.#forks = number === 0 ? undefined : new Forks(number, this.#addon())
  }
}
