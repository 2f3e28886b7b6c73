import { timestamp } from '../context.ts'
import { deleteBySystem } from '../handlers/delete-object.ts'
import type { KubeObject } from '../kube-object.ts'
import { listOf, objectOf, sameJson } from '../schema/json.ts'
import type { StoreEvent } from '../store/history.ts'
import { StoreController } from './store-controller.ts'

const namespaces = '/namespaces'
const accounts = '/serviceaccounts'
const maps = '/configmaps'

/** Creates the default objects of new namespaces, and empties deleted namespaces. */
export class NamespaceController extends StoreController {
  protected observe(storage: string, { type, object }: StoreEvent): void {
    if (storage === namespaces) {
      if (type !== 'DELETED') this.add(object.metadata.name)
      return
    }
    const { namespace } = object.metadata
    if (!namespace || type === 'ADDED' || (type === 'MODIFIED' && storage !== maps)) return
    const found = this.context.store.get(namespaces, '', namespace)
    const isOurs = storage === accounts || storage === maps
    if (found && (isOurs || found.metadata.deletionTimestamp)) this.add(namespace)
  }

  protected async work(name: string): Promise<void> {
    const namespace = this.context.store.get(namespaces, '', name)
    if (namespace?.metadata.deletionTimestamp) await this.empty(name)
    else if (namespace) this.fill(name)
  }

  private fill(name: string): void {
    const { store, caPem } = this.context
    if (!store.get(accounts, name, 'default')) store.create(accounts, this.made('ServiceAccount', name, 'default'))
    const data = { 'ca.crt': caPem }
    const found = store.get(maps, name, 'kube-root-ca.crt')
    if (!found) store.create(maps, { ...this.made('ConfigMap', name, 'kube-root-ca.crt'), data })
    else if (!sameJson(found['data'], data)) store.update(maps, found, { ...found, data })
  }

  private made(kind: string, namespace: string, name: string): KubeObject {
    const { uuid, clock } = this.context
    const metadata = { name, namespace, uid: uuid(), creationTimestamp: timestamp(clock.now()) }
    return { apiVersion: 'v1', kind, metadata }
  }

  private async empty(name: string): Promise<void> {
    const { store, registry } = this.context
    for (const resource of registry.all())
      for (const object of [...store.walk(resource.storage, name)])
        if (resource.namespaced && !object.metadata.deletionTimestamp)
          await deleteBySystem(this.context, resource, object, 'Background')
    const namespace = store.get(namespaces, '', name)
    if (!namespace) return
    // Wait: the deletion of the last object runs this method again.
    if (store.resourceNames().some((storage) => storage !== namespaces && store.count(storage, name) > 0)) return
    const finalizers = listOf(objectOf(namespace['spec'])['finalizers']).filter((one) => one !== 'kubernetes')
    const next = { ...namespace, spec: finalizers.length > 0 ? { finalizers } : {} }
    if (finalizers.length + (namespace.metadata.finalizers ?? []).length === 0)
      store.delete(namespaces, namespace, next)
    else if (!sameJson(namespace['spec'], next.spec)) store.update(namespaces, namespace, next)
  }
}
