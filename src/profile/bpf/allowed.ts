import type { ModelBpf } from '../../api/types.ts'

/** What a workload may do, and at which field that stands. */
export interface Allowed {
  behaviour: ModelBpf
  path: string
}
