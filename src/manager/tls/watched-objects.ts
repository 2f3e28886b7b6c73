import type { ApiClient } from '../../kube/client.ts'
import type { KubeObject, ResourceRef } from '../../kube/objects.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../../kube/reflector.ts'

export interface WatchedObject {
  ref: ResourceRef
  namespace?: string
  name: string
}

/**
 * Calls `changed` when one of a few objects changes, appears or is deleted. A watch of one object costs the server
 * almost nothing.
 * @returns a function that ends the watches
 */
export function watchObjects(
  client: ApiClient,
  objects: readonly WatchedObject[],
  changed: () => void,
  options: { timing?: Partial<ReflectorTiming>; failed: (plural: string, error: unknown) => void },
): () => Promise<void> {
  const reflectors = objects.map(({ ref, namespace, name }) => {
    const fieldSelector = `metadata.name=${name}`
    const reflector = new Reflector<KubeObject>({
      source: clientSource(client, ref, { fieldSelector, ...(namespace !== undefined && { namespace }) }),
      // Only the fact of a change matters.
      transform: ({ apiVersion, kind, metadata }) => {
        const { name, namespace, uid, resourceVersion } = metadata ?? {}
        return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } } as KubeObject
      },
      timing: options.timing ?? {},
      observer: { failed: (error) => options.failed(ref.plural, error) },
    })
    reflector.subscribe({ name: 'certificates', handle: changed })
    reflector.start()
    return reflector
  })
  return async () => {
    await Promise.all(reflectors.map((reflector) => reflector.stop()))
  }
}
