import type { ApiContext } from '../context.ts'
import { isFinished } from '../handlers/write-object.ts'
import type { KubeObject } from '../kube-object.ts'

/** Removes a finalizer from a stored object. If nothing else keeps the object, removes the object. */
export function removeFinalizer({ store }: ApiContext, storage: string, object: KubeObject, finalizer: string): void {
  const { finalizers = [], ...metadata } = object.metadata
  const left = finalizers.filter((one) => one !== finalizer)
  const next = { ...object, metadata: left.length > 0 ? { ...metadata, finalizers: left } : metadata } as KubeObject
  store[isFinished(next, object) ? 'delete' : 'update'](storage, object, next)
}
