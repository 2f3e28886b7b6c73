import { isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import type { KubeObject, ResourceRef } from '../../kube/objects.ts'

/**
 * Some objects of one kind, one at a time. A refusal is an ApiError: isAlreadyExists for `create`, isConflict for
 * `update` if the object has changed since it was read.
 */
export interface ObjectPort<T extends KubeObject> {
  get(name: string): Promise<T | undefined>
  create(object: T): Promise<T>
  /** `object` has the resourceVersion of its read. */
  update(object: T): Promise<T>
}

/** The objects of one namespace, or of none, through a client. */
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
