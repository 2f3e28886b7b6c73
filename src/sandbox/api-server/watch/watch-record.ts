import type { KubeObject } from '../kube-object.ts'
import type { Status } from '../status.ts'

/** One event as a watcher sees it, after its selectors. The object is shared and frozen. */
export type WatchRecord =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: Status }
