import type { ApiClient } from '../../kube/client.ts'
import type { KubeObject, ResourceRef } from '../../kube/objects.ts'
import { clientSource, Reflector, type ReflectorTiming } from '../../kube/reflector.ts'

export interface WatchedObject {
  ref: ResourceRef
  namespace?: string
  name: string
}

/**
 * Calls `changed` when one of the objects is created, changed or deleted. A watch of one object costs the server very
 * little.
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
      // Only the fact that an object changed matters, not its content.
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
