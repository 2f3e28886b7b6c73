import type { ModelBpf } from '../../api/types.ts'

/** A list of what a workload may do, and the field that contains the list. */
export interface Allowed {
  behaviour: ModelBpf
  path: string
  /**
   * The list was recorded. A path is then literal, stars included, unless `oldPath` marks it as a pattern; and a
   * pattern does not allow names that built-in rules protect in any directory.
   */
  recorded?: true
}
