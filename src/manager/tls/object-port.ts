import { isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import type { KubeObject, ResourceRef } from '../../kube/objects.ts'

/**
 * Reads and writes single objects of one kind. If the object exists, `create` fails with isAlreadyExists. If the object
 * has changed since it was read, `update` fails with isConflict.
 */
export interface ObjectPort<T extends KubeObject> {
  get(name: string): Promise<T | undefined>
  create(object: T): Promise<T>
  /** `object` must have the resourceVersion that was read. */
  update(object: T): Promise<T>
}

/** Objects of one namespace, or cluster-scoped objects, through a client. */
export function objectPort<T extends KubeObject>(
  client: ApiClient,
  ref: ResourceRef<T>,
  namespace?: string,
): ObjectPort<T> {
  const write = { fieldManager: 'varmor-manager' }
  const placed = (object: T): T =>
    namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } }
  return {
    async get(name) {
      try {
        return await client.get(ref, { name, namespace })
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
    create: (object) => client.create(ref, placed(object), write),
    update: (object) => client.update(ref, placed(object), write),
  }
}
