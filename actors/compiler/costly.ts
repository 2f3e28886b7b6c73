import { createHash } from 'node:crypto'

/** Milliseconds for which a costly subject is remembered. */
export const COSTLY_FOR = 600_000
const MAX = 1_000

const digestOf = (subject: unknown): string => createHash('sha256').update(JSON.stringify(subject)).digest('base64')

/** Digests of costly subjects, remembered for minutes. */
export class Costly {
  readonly #until = new Map<string, number>()

  add(subject: unknown, now: number): void {
    const digest = digestOf(subject)
    // The newest subject comes last. Adding a known subject again evicts no other subject.
    this.#until.delete(digest)
    if (this.#until.size >= MAX) this.#until.delete(this.#until.keys().next().value!)
    this.#until.set(digest, now + COSTLY_FOR)
  }

  has(subject: unknown, now: number): boolean {
    for (const [digest, until] of this.#until) {
      if (until > now) break
      this.#until.delete(digest)
    }
    // Skip the digest if no costly subject is known.
    return this.#until.size > 0 && this.#until.has(digestOf(subject))
  }
}
