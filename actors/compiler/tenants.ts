import { REST, SLOW, SLOW_FOR, type Tenant } from './turns.ts'

/** So many are remembered; beyond that those are forgotten that have not been slow. */
const MOST = 1_000

/** What is remembered of those whose jobs were done. */
export class Tenants extends Map<string, Tenant> {
  #turns = 0

  /** It gets a turn. */
  begins(name: string): void {
    const { slowUntil, restUntil } = this.get(name) ?? { slowUntil: 0, restUntil: 0 }
    // The newest last, so that it is the oldest that are forgotten.
    this.delete(name)
    this.set(name, { turn: ++this.#turns, slowUntil, restUntil })
  }

  /** Its job took so many milliseconds. */
  ended(name: string, took: number, isTooCostly: boolean, now: number): void {
    const { turn } = this.get(name) ?? { turn: 0 }
    const known = this.get(name)
    this.set(name, {
      turn,
      slowUntil: took > SLOW ? now + SLOW_FOR : (known?.slowUntil ?? 0),
      restUntil: isTooCostly ? now + REST * took : (known?.restUntil ?? 0),
    })
    if (this.size > MOST) this.#forget(now)
  }

  #forget(now: number): void {
    for (const [name, { slowUntil }] of this) {
      if (this.size <= MOST / 2) return
      if (slowUntil <= now) this.delete(name)
    }
    for (const name of this.keys()) {
      if (this.size <= MOST) return
      this.delete(name)
    }
  }
}
