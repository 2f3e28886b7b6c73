import type { ModelBpf } from '../../api/types.ts'

/** What a workload may do, and at which field that stands. */
export interface Allowed {
  behaviour: ModelBpf
  path: string
  /** It was recorded: a path is a name, and only one with an `oldPath` a pattern. */
  isRecorded: boolean
}
