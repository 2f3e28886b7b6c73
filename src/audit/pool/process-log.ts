import type { Membership } from '../enrich/pid-resolver.ts'

/** A process and the place where a worker found it. */
export type SeenProcess = readonly [pid: number, membership: Membership]

/**
 * What workers found out about processes. Workers share this, because a process may have ended when its next event goes
 * to another worker. The oldest entries are dropped first; a worker that missed them reads /proc itself.
 */
export class ProcessLog {
  #seenProcesses: SeenProcess[] = []
  #version = 0
  readonly limit: number

  constructor(limit = 8192) {
    this.limit = limit
  }

  /** Total number of entries so far, including dropped entries. */
  get version(): number {
    return this.#version
  }

  /** Number of kept entries. */
  get size(): number {
    return this.#seenProcesses.length
  }

  add(seenProcesses: readonly SeenProcess[]): void {
    for (const seenProcess of seenProcesses) this.#seenProcesses.push(seenProcess)
    this.#version += seenProcesses.length
    if (this.#seenProcesses.length > 2 * this.limit) this.#seenProcesses = this.#seenProcesses.slice(-this.limit)
  }

  /** The entries after the first `version`, except dropped entries. */
  since(version: number): readonly SeenProcess[] {
    const missing = Math.min(this.#version - version, this.limit, this.#seenProcesses.length)
    return missing <= 0 ? [] : this.#seenProcesses.slice(-missing)
  }
}
