import type { KubeObject } from '../kube-object.ts'

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** One change of one object, as the history keeps it. For a deletion, `object` is the last state at the deletion's revision. */
export interface StoreEvent {
  readonly revision: number
  readonly type: ChangeType
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}
