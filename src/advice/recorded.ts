import type { KernelEnforcer } from '../api/enforcer.ts'
import type { Operation } from './operation.ts'

/** An operation that was recorded. */
export interface Recorded {
  operation: Operation
  /** The enforcer that recorded it. */
  by: KernelEnforcer
  /** The executable of the process, if it is known. */
  program?: string
  /** Every program does this operation, so models leave it out. The operation counts only if it is refused. */
  implied?: true
}

/** Recorded operations that cannot be judged: by reason, their number and some examples. */
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

/** Stands for the AppArmor label of the workload's own processes, whatever the name of its profile is. */
export const OWN_LABEL = '\0own'
