import { deleteBySystem, foregroundFinalizer, orphanFinalizer } from '../handlers/delete-object.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import type { StoreEvent } from '../store/history.ts'
import { Groups } from '../store/object-table.ts'
import { removeFinalizer } from './finalizers.ts'
import { StoreController } from './store-controller.ts'

interface Place {
  readonly storage: string
  readonly namespace: string
  readonly name: string
}

const keyOf = ({ storage, namespace, name }: Place): string => `${storage}\n${namespace}\n${name}`

function placeOf(key: string): Place {
  const [storage = '', namespace = '', name = ''] = key.split('\n')
  return { storage, namespace, name }
}

/**
 * Deletes objects whose owners are all gone, and performs foreground and orphaning deletions. It updates its graph of
 * owners with each change of the store, so its work depends on the number of changes, not on the number of objects.
 */
export class GarbageCollector extends StoreController {
  /** Keys of the dependents, by the uid of their owner. */
  private readonly dependents = new Groups<string>()

  /** Reads the objects of a store that was filled earlier, for example by a restore. */
  scan(): void {
    for (const storage of this.context.store.resourceNames())
      for (const object of this.context.store.walk(storage))
        this.observe(storage, { type: 'ADDED', object, previous: undefined, revision: 0 })
  }

  protected observe(storage: string, { type, object, previous }: StoreEvent): void {
    const { name, namespace = '', uid = '', ownerReferences, deletionTimestamp } = object.metadata
    const key = keyOf({ storage, namespace, name })
    const before = previous?.metadata.ownerReferences ?? []
    for (const owner of before) this.dependents.remove(owner.uid, key)
    if (type !== 'DELETED') {
      for (const owner of ownerReferences ?? []) this.dependents.add(owner.uid, key)
      if (ownerReferences || deletionTimestamp) this.add(key)
      return
    }
    for (const dependent of this.dependents.get(uid) ?? []) this.add(dependent)
    // An owner in foreground deletion may have waited for this dependent.
    for (const owner of before) {
      const place = this.placeOfOwner(owner, namespace)
      if (place) this.add(keyOf(place))
    }
  }

  protected async work(key: string): Promise<void> {
    const place = placeOf(key)
    const object = this.get(place)
    if (!object) return
    const { finalizers = [], deletionTimestamp } = object.metadata
    if (deletionTimestamp && finalizers.includes(orphanFinalizer)) this.orphan(place, object)
    else if (deletionTimestamp && finalizers.includes(foregroundFinalizer)) await this.foreground(place, object)
    else if (!deletionTimestamp) await this.collect(place, object)
  }

  private get({ storage, namespace, name }: Place): KubeObject | undefined {
    return this.context.store.get(storage, namespace, name)
  }

  private placeOfOwner({ apiVersion, kind, name }: OwnerReference, namespace: string): Place | undefined {
    const resource = this.context.registry.findKind(apiVersion, kind)
    return resource && { storage: resource.storage, namespace: resource.namespaced ? namespace : '', name }
  }

  private dependentsOf({ metadata }: KubeObject): Place[] {
    return [...(this.dependents.get(metadata.uid ?? '') ?? [])].map(placeOf)
  }

  private orphan({ storage }: Place, object: KubeObject): void {
    for (const dependent of this.dependentsOf(object))
      this.dropOwners(dependent, (owner) => owner.uid !== object.metadata.uid)
    removeFinalizer(this.context, storage, object, orphanFinalizer)
  }

  private async foreground(place: Place, object: KubeObject): Promise<void> {
    let blocked = false
    for (const there of this.dependentsOf(object)) {
      const found = this.get(there)
      const reference = found?.metadata.ownerReferences?.find(({ uid }) => uid === object.metadata.uid)
      if (!found || !reference) continue
      if (!found.metadata.deletionTimestamp) await this.delete(there, found, 'Foreground')
      if (this.get(there) && reference.blockOwnerDeletion) blocked = true
    }
    const current = this.get(place)
    if (!blocked && current?.metadata.finalizers?.includes(foregroundFinalizer))
      removeFinalizer(this.context, place.storage, current, foregroundFinalizer)
  }

  /** Deletes an object whose owners are all gone. If an owner remains, removes only the owners that are gone. */
  private async collect(place: Place, object: KubeObject): Promise<void> {
    const owners = object.metadata.ownerReferences ?? []
    const isGone = (owner: OwnerReference): boolean => {
      const home = this.placeOfOwner(owner, place.namespace)
      // If the owner's kind is not served, it is unknown whether the owner is gone.
      return home !== undefined && this.get(home)?.metadata.uid !== owner.uid
    }
    const gone = owners.filter(isGone)
    if (gone.length === 0) return
    if (gone.length < owners.length) return this.dropOwners(place, (owner) => !isGone(owner))
    // A user may have chosen the propagation to the object's dependents; default: in the background.
    const chosen = object.metadata.finalizers?.some((one) => one === orphanFinalizer || one === foregroundFinalizer)
    await this.delete(place, object, chosen ? undefined : 'Background')
  }

  private dropOwners(place: Place, keep: (owner: OwnerReference) => boolean): void {
    const object = this.get(place)
    if (!object) return
    const { ownerReferences = [], ...metadata } = object.metadata
    const kept = ownerReferences.filter(keep)
    if (kept.length === ownerReferences.length) return
    const next = (kept.length > 0 ? { ...metadata, ownerReferences: kept } : metadata) as KubeObject['metadata']
    this.context.store.update(place.storage, object, { ...object, metadata: next })
  }

  private async delete(
    { storage }: Place,
    object: KubeObject,
    propagation: 'Foreground' | 'Background' | undefined,
  ): Promise<void> {
    const resource = this.context.registry.ofStorage(storage)
    if (resource) await deleteBySystem(this.context, resource, object, propagation)
  }
}
