import type { Residence } from './enrich/pid-resolver.ts'

/** A process and where a worker found it. */
export type Sighting = readonly [pid: number, residence: Residence]

/**
 * What one worker has learnt of processes, kept for the others: a process may be gone when its next event comes to
 * another worker. The oldest sightings go first; who missed them asks /proc itself.
 */
export class ResidentLog {
  #sightings: Sighting[] = []
  #version = 0
  readonly limit: number

  constructor(limit = 8192) {
    this.limit = limit
  }

  /** Counts sightings from the beginning. */
  get version(): number {
    return this.#version
  }

  add(sightings: readonly Sighting[]): void {
    for (const sighting of sightings) this.#sightings.push(sighting)
    this.#version += sightings.length
    if (this.#sightings.length > 2 * this.limit) this.#sightings = this.#sightings.slice(-this.limit)
  }

  /** The sightings after the first `version` ones, as far as they are kept. */
  since(version: number): readonly Sighting[] {
    const missing = Math.min(this.#version - version, this.limit, this.#sightings.length)
    return missing <= 0 ? [] : this.#sightings.slice(-missing)
  }
}
