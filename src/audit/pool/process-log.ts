import type { Membership } from '../enrich/pid-resolver.ts'

/** A process and where a worker found it. */
export type SeenProcess = readonly [pid: number, membership: Membership]

/**
 * What one worker has learnt of processes, kept for the others: a process may be gone when its next event comes to
 * another worker. The oldest seenProcesses go first; who missed them asks /proc itself.
 */
export class ProcessLog {
  #seenProcesses: SeenProcess[] = []
  #version = 0
  readonly limit: number

  constructor(limit = 8192) {
    this.limit = limit
  }

  /** Counts seenProcesses from the beginning. */
  get version(): number {
    return this.#version
  }

  add(seenProcesses: readonly SeenProcess[]): void {
    for (const seenProcess of seenProcesses) this.#seenProcesses.push(seenProcess)
    this.#version += seenProcesses.length
    if (this.#seenProcesses.length > 2 * this.limit) this.#seenProcesses = this.#seenProcesses.slice(-this.limit)
  }

  /** The seenProcesses after the first `version` ones, as far as they are kept. */
  since(version: number): readonly SeenProcess[] {
    const missing = Math.min(this.#version - version, this.limit, this.#seenProcesses.length)
    return missing <= 0 ? [] : this.#seenProcesses.slice(-missing)
  }
}
