import { createHash } from 'node:crypto'
import type { Clock } from '../../../src/base/clock.ts'
import type { Attempt, RequestObserver } from '../../../src/kube/caller.ts'

/** Counts the requests of a manager to the API server. */
export class CallLog implements RequestObserver {
  /** Number of requests by `<verb> <plural>`, with the subresource. */
  readonly counts: Record<string, number> = {}
  readonly #clock: Clock
  readonly #digest = createHash('sha256')

  constructor(clock: Clock) {
    this.#clock = clock
  }

  started({ verb, resource, subresource, attempt }: Attempt): void {
    const name = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`
    this.counts[name] = (this.counts[name] ?? 0) + 1
    this.#digest.update(`${this.#clock.now()} ${name} ${attempt}\n`)
  }

  /** A digest that is equal for two runs with the same calls at the same times. */
  get digest(): string {
    return this.#digest.copy().digest('hex')
  }
}

/** Number of calls whose name matches the pattern. */
export function total(counts: Readonly<Record<string, number>>, which: RegExp): number {
  return Object.entries(counts).reduce((sum, [name, count]) => sum + (which.test(name) ? count : 0), 0)
}
