import type { Membership } from '../enrich/pid-resolver.ts'

/** A process and the place where a worker found it. */
export type SeenProcess = readonly [pid: number, membership: Membership]

/**
 * The places where workers found processes. Workers share them, because a process may have ended when another worker
 * gets its next event. The oldest entries are dropped first. A worker that has missed them reads /proc itself.
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

  /** The kept entries that were added after `version`. */
  since(version: number): readonly SeenProcess[] {
    const missing = Math.min(this.#version - version, this.limit, this.#seenProcesses.length)
    return missing <= 0 ? [] : this.#seenProcesses.slice(-missing)
  }
}
