import { COSTLY_TENANT_FOR, SLOW, SLOW_FOR, stranger, type Tenant } from './turns.ts'

/** So many are remembered; beyond that those are forgotten that have not been slow. */
const MOST = 1_000

/** What is remembered of those whose jobs were done. */
export class Tenants extends Map<string, Tenant> {
  #turns = 0

  /** It gets a turn. */
  begins(name: string): void {
    const { slowUntil, costlyUntil } = this.get(name) ?? stranger
    // The newest last, so that it is the oldest that are forgotten.
    this.delete(name)
    this.set(name, { turn: ++this.#turns, slowUntil, costlyUntil })
  }

  /** Its job took so many milliseconds. */
  ended(name: string, took: number, isTooCostly: boolean, now: number): void {
    const { turn, slowUntil, costlyUntil } = this.get(name) ?? stranger
    this.set(name, {
      turn,
      slowUntil: took > SLOW ? now + SLOW_FOR : slowUntil === stranger.slowUntil ? 0 : slowUntil,
      costlyUntil: isTooCostly ? now + COSTLY_TENANT_FOR : costlyUntil,
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
