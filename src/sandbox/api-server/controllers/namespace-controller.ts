import { type ApiContext, timestamp } from '../context.ts'
import { deleteObject } from '../handlers/delete-object.ts'
import { deleteOptions } from '../handlers/options.ts'
import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, listOf, objectOf, sameJson } from '../schema/json.ts'
import { ApiStatusError } from '../status.ts'
import type { StoreEvent } from '../store/store-event.ts'
import { resourceOfStorage, systemCall } from './system-call.ts'
import { WorkQueue } from './work-queue.ts'

const namespaces = '/namespaces'

/** Fills new namespaces with what each has, and empties those that are being deleted. */
export class NamespaceController {
  private readonly context: ApiContext
  private readonly queue: WorkQueue

  constructor(context: ApiContext, failed: (key: string, error: unknown) => void) {
    this.context = context
    this.queue = new WorkQueue((name) => this.work(name), failed)
    context.store.listen((storage, event) => this.observe(storage, event))
  }

  idle(): Promise<void> {
    return this.queue.idle()
  }

  close(): void {
    this.queue.close()
  }

  private observe(storage: string, { type, object }: StoreEvent): void {
    if (storage === namespaces) {
      if (type !== 'DELETED') this.queue.add(object.metadata.name)
      return
    }
    const { namespace } = object.metadata
    if (!namespace || type === 'ADDED') return
    if (type === 'MODIFIED' && storage !== '/configmaps') return
    const found = this.context.store.get(namespaces, '', namespace)
    const isOurs = storage === '/serviceaccounts' || storage === '/configmaps'
    if (found && (found.metadata.deletionTimestamp || isOurs)) this.queue.add(namespace)
  }

  private async work(name: string): Promise<void> {
    const namespace = this.context.store.get(namespaces, '', name)
    if (!namespace) return
    if (!namespace.metadata.deletionTimestamp) this.fill(name)
    else await this.empty(name)
  }

  private fill(name: string): void {
    if (!this.context.store.get('/serviceaccounts', name, 'default'))
      this.create('/serviceaccounts', {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: this.meta(name, 'default'),
      })
    const data = { 'ca.crt': this.context.caPem }
    const found = this.context.store.get('/configmaps', name, 'kube-root-ca.crt')
    if (found && sameJson(found['data'], data)) return
    if (found) this.context.store.update('/configmaps', found, { ...found, data })
    else {
      const metadata = {
        ...this.meta(name, 'kube-root-ca.crt'),
        annotations: {
          'kubernetes.io/description':
            'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
        },
      }
      this.create('/configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
    }
  }

  private meta(namespace: string, name: string): KubeObject['metadata'] {
    return { name, namespace, uid: this.context.uuid(), creationTimestamp: timestamp(this.context.clock.now()) }
  }

  private create(storage: string, object: KubeObject): void {
    this.context.store.create(storage, object)
  }

  private async empty(name: string): Promise<void> {
    const { store } = this.context
    for (const storage of store.resourceNames())
      for (const object of [...store.walk(storage, name)]) await this.delete(storage, object)
    const namespace = store.get(namespaces, '', name)
    if (!namespace) return
    const remaining = this.remaining(name)
    if (remaining.length > 0) return this.report(namespace, remaining)
    const finalizers = listOf(objectOf(namespace['spec'])['finalizers']).filter((one) => one !== 'kubernetes')
    const waits = finalizers.length > 0 || (namespace.metadata.finalizers ?? []).length > 0
    const next = { ...namespace, spec: finalizers.length > 0 ? { finalizers } : {} }
    if (!waits) store.delete(namespaces, namespace, next)
    else if (!sameJson(namespace['spec'], next.spec)) store.update(namespaces, namespace, next)
  }

  private remaining(name: string): { storage: string; objects: KubeObject[] }[] {
    const { store } = this.context
    return store
      .resourceNames()
      .filter((storage) => storage !== namespaces)
      .map((storage) => ({ storage, objects: [...store.walk(storage, name)] }))
      .filter(({ objects }) => objects.length > 0)
  }

  private async delete(storage: string, object: KubeObject): Promise<void> {
    const resource = resourceOfStorage(this.context, storage)
    if (!resource || object.metadata.deletionTimestamp) return
    const call = systemCall(this.context, resource, object.metadata.namespace ?? '', object.metadata.name)
    const options = deleteOptions(new URLSearchParams(), { propagationPolicy: 'Background' })
    try {
      await deleteObject(call, object.metadata.name, options)
    } catch (error) {
      if (!(error instanceof ApiStatusError) || error.status.code !== 404) throw error
    }
  }

  /** Says on the namespace what it waits for. */
  private report(namespace: KubeObject, remaining: { storage: string; objects: KubeObject[] }[]): void {
    const status = objectOf(namespace['status'])
    const before = listOf(status['conditions']).map(objectOf)
    const now = timestamp(this.context.clock.now())
    const conditions = conditionsFor(remaining).map((condition) => {
      const same = before.find(({ type, status }) => type === condition['type'] && status === condition['status'])
      return { ...condition, lastTransitionTime: same?.['lastTransitionTime'] ?? now }
    })
    if (sameJson(before, conditions)) return
    this.context.store.update(namespaces, namespace, { ...namespace, status: { ...status, conditions } })
  }
}

const resourceName = (storage: string): string => storage.slice(storage.indexOf('/') + 1) + dotted(storage)
const dotted = (storage: string): string => `.${storage.slice(0, storage.indexOf('/'))}`

function conditionsFor(remaining: { storage: string; objects: KubeObject[] }[]): JsonObject[] {
  const resources = remaining.map(
    ({ storage, objects }) => `${resourceName(storage)} has ${objects.length} resource instances`,
  )
  const finalizers = new Map<string, number>()
  for (const { objects } of remaining)
    for (const object of objects)
      for (const finalizer of object.metadata.finalizers ?? [])
        finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1)
  const waiting = [...finalizers].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`)
  const condition = (type: string, status: string, reason: string, message: string): JsonObject => ({
    type,
    status,
    reason,
    message,
  })
  return [
    condition(
      'NamespaceDeletionDiscoveryFailure',
      'False',
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    condition(
      'NamespaceDeletionGroupVersionParsingFailure',
      'False',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    condition(
      'NamespaceDeletionContentFailure',
      'False',
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    condition(
      'NamespaceContentRemaining',
      'True',
      'SomeResourcesRemain',
      `Some resources are remaining: ${resources.join(', ')}`,
    ),
    waiting.length > 0
      ? condition(
          'NamespaceFinalizersRemaining',
          'True',
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${waiting.join(', ')}`,
        )
      : condition(
          'NamespaceFinalizersRemaining',
          'False',
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        ),
  ]
}
