import type { KubeObject } from '../api-server/kube-object.ts'
import { sameJson } from '../api-server/schema/json.ts'
import type { Informer } from './informer.ts'
import { BY_NAMESPACE, type Informers } from './informers.ts'
import { controllerOf, selects } from './ownership.ts'
import type { Pod } from './types.ts'
import type { WorkQueue } from './work-queue.ts'

interface Owners<T extends KubeObject> {
  readonly informers: Informers
  readonly owners: Informer<T>
  readonly kind: string
  readonly queue: WorkQueue
}

/** Adds the owners of a kind to a queue when their pods change, and those that might adopt a pod that has no owner. */
export function watchPods<T extends KubeObject & { spec: { selector: unknown } }>(
  informers: Informers,
  owners: Informer<T>,
  kind: string,
  queue: WorkQueue,
): void {
  const watched = { informers, owners, kind, queue }
  informers.pods.onChange(({ before, after }) => {
    if (before) addOwner(watched, before)
    if (after) addOwner(watched, after)
    if (after && !controllerOf(after.metadata) && isNews(before, after)) addAdopters(watched, after)
  })
}

function addOwner<T extends KubeObject>({ queue, kind, owners }: Owners<T>, { metadata }: Pod): void {
  const owner = controllerOf(metadata)
  if (owner?.kind !== kind) return
  const key = `${metadata.namespace}/${owner.name}`
  if (owners.store.get(key)?.metadata.uid === owner.uid) queue.add(key)
}

/** For a pod without an owner, only its labels and its owners decide whether anyone wants it. */
const isNews = (before: Pod | undefined, after: Pod): boolean =>
  !before || controllerOf(before.metadata) !== undefined || !sameJson(before.metadata.labels, after.metadata.labels)

function addAdopters<T extends KubeObject & { spec: { selector: unknown } }>(
  { owners, queue }: Owners<T>,
  { metadata }: Pod,
): void {
  for (const owner of owners.store.find(BY_NAMESPACE, metadata.namespace ?? ''))
    if (selects(owner.spec.selector, metadata.labels)) queue.add(`${owner.metadata.namespace}/${owner.metadata.name}`)
}
