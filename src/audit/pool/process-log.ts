import type { Membership } from '../enrich/pid-resolver.ts'

/** A process and the place where a worker found it. */
export type SeenProcess = readonly [pid: number, membership: Membership]

/**
 * Workers' findings about processes, shared because a process may be gone when its next event goes to another worker.
 * The oldest are dropped first; a worker that misses them reads /proc itself.
 */
export class ProcessLog {
  #seenProcesses: SeenProcess[] = []
  #version = 0
  readonly limit: number

  constructor(limit = 8192) {
    this.limit = limit
  }

  /** Total number of findings so far. */
  get version(): number {
    return this.#version
  }

  /** Number of kept findings. */
  get size(): number {
    return this.#seenProcesses.length
  }

  add(seenProcesses: readonly SeenProcess[]): void {
    for (const seenProcess of seenProcesses) this.#seenProcesses.push(seenProcess)
    this.#version += seenProcesses.length
    if (this.#seenProcesses.length > 2 * this.limit) this.#seenProcesses = this.#seenProcesses.slice(-this.limit)
  }

  /** The findings after the first `version`, as far as they are kept. */
  since(version: number): readonly SeenProcess[] {
    const missing = Math.min(this.#version - version, this.limit, this.#seenProcesses.length)
    return missing <= 0 ? [] : this.#seenProcesses.slice(-missing)
  }
}
