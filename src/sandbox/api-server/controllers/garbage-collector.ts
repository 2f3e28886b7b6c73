import type { ApiContext } from '../context.ts'
import { deleteObject, foregroundFinalizer, orphanFinalizer } from '../handlers/delete-object.ts'
import { deleteOptions } from '../handlers/options.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { ApiStatusError } from '../status.ts'
import type { StoreEvent } from '../store/store-event.ts'
import { removeFinalizer } from './remove-finalizer.ts'
import { resourceOfStorage, systemCall } from './system-call.ts'
import { WorkQueue } from './work-queue.ts'

interface Place {
  readonly storage: string
  readonly namespace: string
  readonly name: string
}

const placeKey = ({ storage, namespace, name }: Place): string => `${storage}\n${namespace}\n${name}`

function placeOf(key: string): Place {
  const [storage = '', namespace = '', name = ''] = key.split('\n')
  return { storage, namespace, name }
}

/**
 * Deletes what all its owners have left behind, and carries out foreground and orphaning deletions. It keeps the graph of
 * owners from the store's changes, so that its work grows with what changes and not with what there is.
 */
export class GarbageCollector {
  /** Keys of dependents by the uid of an owner. */
  private readonly dependents = new Map<string, Set<string>>()
  private readonly context: ApiContext
  private readonly queue: WorkQueue

  constructor(context: ApiContext, failed: (key: string, error: unknown) => void) {
    this.context = context
    this.queue = new WorkQueue((key) => this.work(placeOf(key)), failed)
    context.store.listen((storage, event) => this.observe(storage, event))
  }

  idle(): Promise<void> {
    return this.queue.idle()
  }

  close(): void {
    this.queue.close()
  }

  /** Takes in a store that was filled before, as after a restore. */
  scan(): void {
    for (const storage of this.context.store.resourceNames())
      for (const object of this.context.store.walk(storage))
        this.observe(storage, { type: 'ADDED', object, previous: undefined, revision: 0 })
  }

  private observe(storage: string, { type, object, previous }: StoreEvent): void {
    const { name, namespace = '', uid = '' } = object.metadata
    const key = placeKey({ storage, namespace, name })
    this.link(
      key,
      previous?.metadata.ownerReferences ?? [],
      type === 'DELETED' ? [] : (object.metadata.ownerReferences ?? []),
    )
    if (type === 'DELETED') {
      for (const dependent of this.dependents.get(uid) ?? []) this.queue.add(dependent)
      this.wakeOwners(previous?.metadata.ownerReferences, namespace)
    } else if (object.metadata.ownerReferences || object.metadata.deletionTimestamp) this.queue.add(key)
  }

  /** An owner that is being deleted in the foreground waits for its dependents. */
  private wakeOwners(owners: readonly OwnerReference[] = [], namespace: string): void {
    for (const owner of owners) {
      const place = this.placeOfOwner(owner, namespace)
      if (place) this.queue.add(placeKey(place))
    }
  }

  private link(key: string, before: readonly OwnerReference[], after: readonly OwnerReference[]): void {
    for (const { uid } of before) {
      const found = this.dependents.get(uid)
      found?.delete(key)
      if (found?.size === 0) this.dependents.delete(uid)
    }
    for (const { uid } of after) {
      const found = this.dependents.get(uid)
      if (found) found.add(key)
      else this.dependents.set(uid, new Set([key]))
    }
  }

  private placeOfOwner({ apiVersion, kind, name }: OwnerReference, namespace: string): Place | undefined {
    const resource = this.context.registry.findKind(apiVersion, kind)
    return resource && { storage: resource.storage, namespace: resource.namespaced ? namespace : '', name }
  }

  private async work(place: Place): Promise<void> {
    const object = this.context.store.get(place.storage, place.namespace, place.name)
    if (!object) return
    const finalizers = object.metadata.finalizers ?? []
    if (object.metadata.deletionTimestamp && finalizers.includes(orphanFinalizer)) return this.orphan(place, object)
    if (object.metadata.deletionTimestamp && finalizers.includes(foregroundFinalizer))
      await this.foreground(place, object)
    else await this.collect(place, object)
  }

  private orphan(place: Place, object: KubeObject): void {
    for (const dependent of [...(this.dependents.get(object.metadata.uid ?? '') ?? [])])
      this.dropOwners(placeOf(dependent), (owner) => owner.uid !== object.metadata.uid)
    removeFinalizer(this.context, place.storage, object, orphanFinalizer)
  }

  private async foreground(place: Place, object: KubeObject): Promise<void> {
    const uid = object.metadata.uid ?? ''
    let blocked = false
    for (const dependent of [...(this.dependents.get(uid) ?? [])]) {
      const there = placeOf(dependent)
      const found = this.context.store.get(there.storage, there.namespace, there.name)
      const reference = found?.metadata.ownerReferences?.find((owner) => owner.uid === uid)
      if (!found || !reference) continue
      if (!found.metadata.deletionTimestamp) await this.delete(there, found, 'Foreground')
      const remains = this.context.store.get(there.storage, there.namespace, there.name)
      if (remains && reference.blockOwnerDeletion) blocked = true
    }
    const current = this.context.store.get(place.storage, place.namespace, place.name)
    if (current && !blocked && current.metadata.finalizers?.includes(foregroundFinalizer))
      removeFinalizer(this.context, place.storage, current, foregroundFinalizer)
  }

  /** Deletes an object whose owners are all gone; takes out the gone ones where another is left. */
  private async collect(place: Place, object: KubeObject): Promise<void> {
    const owners = object.metadata.ownerReferences ?? []
    if (owners.length === 0 || object.metadata.deletionTimestamp) return
    const states = owners.map((owner) => this.stateOf(owner, place.namespace))
    if (states.every((state) => state === 'gone')) return this.delete(place, object, undefined)
    if (states.some((state) => state === 'there') && states.includes('gone'))
      this.dropOwners(place, (owner) => this.stateOf(owner, place.namespace) !== 'gone')
  }

  private stateOf(owner: OwnerReference, namespace: string): 'there' | 'gone' | 'unknown' {
    const place = this.placeOfOwner(owner, namespace)
    // Of a kind that nobody serves, it cannot be said that it is gone.
    if (!place) return 'unknown'
    const found = this.context.store.get(place.storage, place.namespace, place.name)
    return found && found.metadata.uid === owner.uid ? 'there' : 'gone'
  }

  private dropOwners(place: Place, keep: (owner: OwnerReference) => boolean): void {
    const object = this.context.store.get(place.storage, place.namespace, place.name)
    if (!object) return
    const { ownerReferences = [], ...metadata } = object.metadata
    const kept = ownerReferences.filter(keep)
    if (kept.length === ownerReferences.length) return
    const next = kept.length > 0 ? { ...metadata, ownerReferences: kept } : metadata
    this.context.store.update(place.storage, object, { ...object, metadata: next })
  }

  private async delete(place: Place, object: KubeObject, propagation: 'Foreground' | undefined): Promise<void> {
    const resource = resourceOfStorage(this.context, place.storage)
    if (!resource) return
    const { uid = '' } = object.metadata
    // A user may have chosen how its dependents go; else they go in the background.
    const chosen = [orphanFinalizer, foregroundFinalizer].some((one) => object.metadata.finalizers?.includes(one))
    const policy = propagation ?? (chosen ? undefined : 'Background')
    const body = { preconditions: { uid }, ...(policy ? { propagationPolicy: policy } : {}) }
    try {
      const call = systemCall(this.context, resource, place.namespace, place.name)
      await deleteObject(call, place.name, deleteOptions(new URLSearchParams(), body))
    } catch (error) {
      // Gone, or another by that name: either way nothing is left to do.
      if (!(error instanceof ApiStatusError) || ![404, 409].includes(error.status.code)) throw error
    }
  }
}
