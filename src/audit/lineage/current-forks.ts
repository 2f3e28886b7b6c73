import { loadForkAddon } from './fork-addon.ts'
import { Forks } from './forks.ts'

/** Memory in which threads see the number of the fork tree that counts now; 0 is none. */
export const forkNumber = (number = 0): Int32Array<SharedArrayBuffer> => {
  const shared = new Int32Array(new SharedArrayBuffer(4))
  shared[0] = number
  return shared
}

/**
 * The fork tree of this node as a thread sees it that has not opened it. A tree that broke, or for which there is a better source, is
 * replaced by one with another number, which gives the same keys to other processes: whoever keeps keys looks at the number, too.
 */
export class CurrentForks {
  readonly #number: Int32Array
  readonly #addon: () => ConstructorParameters<typeof Forks>[1]
  #forks: Forks | undefined

  constructor(number: Int32Array, addon: () => ConstructorParameters<typeof Forks>[1] = loadForkAddon) {
    this.#number = number
    this.#addon = addon
  }

  /** Of the tree that was asked last. */
  get number(): number {
    return this.#forks?.number ?? 0
  }

  /** As Forks.find. */
  find(...asked: Parameters<Forks['find']>): ReturnType<Forks['find']> {
    this.#look()
    return this.#forks?.find(...asked)
  }

  /** As Forks.reuses; another number for another tree. */
  reuses(): number {
    this.#look()
    return this.#forks?.reuses() ?? Number.NaN
  }

  /** As Forks.confirm, of the tree that was asked last. */
  confirm(key: number, containerID: string): boolean {
    return this.#forks?.confirm(key, containerID) ?? false
  }

  #look(): void {
    const number = Atomics.load(this.#number, 0)
    if (number !== (this.#forks?.number ?? 0)) this.#forks = number === 0 ? undefined : new Forks(number, this.#addon())
  }
}
