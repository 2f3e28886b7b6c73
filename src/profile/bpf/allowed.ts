import type { ModelBpf } from '../../api/types.ts'

/** What a workload may do, and at which field that stands. */
export interface Allowed {
  behaviour: ModelBpf
  path: string
  /**
   * It was recorded: a path is itself, with whatever stars are in it, unless `oldPath` says that it is a pattern; and a
   * pattern does not mean names that built-in rules protect wherever they are.
   */
  recorded?: true
}
