import type { KernelEnforcer } from '../api/enforcer.ts'
import type { Operation } from './operation.ts'

/** An operation that was seen. */
export interface Recorded {
  operation: Operation
  /** Who saw it. */
  by: KernelEnforcer
  /** The file that ran, where it is known. */
  program?: string
  /** Every program does it, so it is not recorded. It does not count unless it is refused. */
  implied?: true
}

/** What was seen and cannot be judged, by reason, with how many and the first of them. */
export class Unjudged {
  readonly #byReason = new Map<string, { count: number; examples: string[] }>()

  add(why: string, example = '', count = 1): void {
    let known = this.#byReason.get(why)
    if (known === undefined) {
      known = { count: 0, examples: [] }
      this.#byReason.set(why, known)
    }
    known.count += count
    if (example !== '' && known.examples.length < MAX_EXAMPLES && !known.examples.includes(example))
      known.examples.push(example)
  }

  get all(): { why: string; count: number; examples: string[] }[] {
    return Array.from(this.#byReason, ([why, { count, examples }]) => ({ why, count, examples }))
  }
}

const MAX_EXAMPLES = 3

/** Stands for the AppArmor label of the processes of a workload, whatever its profile is called. */
export const OWN_LABEL = '\0own'
