import type { ApiContext } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'

/** Takes a finalizer from a stored object, which goes if it waits for nothing else. */
export function removeFinalizer({ store }: ApiContext, storage: string, object: KubeObject, finalizer: string): void {
  const finalizers = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer)
  const { finalizers: _, ...metadata } = object.metadata
  const next: KubeObject = { ...object, metadata: finalizers.length > 0 ? { ...metadata, finalizers } : metadata }
  const waits = finalizers.length > 0 || (metadata.deletionGracePeriodSeconds ?? 0) > 0
  if (metadata.deletionTimestamp && !waits && storage !== '/namespaces') store.delete(storage, object, next)
  else store.update(storage, object, next)
}
