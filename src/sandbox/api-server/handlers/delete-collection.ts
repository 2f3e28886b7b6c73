import type { ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { ApiStatusError } from '../status.ts'
import { bodyValue } from './decode-body.ts'
import { deleteObject } from './delete-object.ts'
import { listObjects } from './list-objects.ts'
import { listOptions } from './list-options.ts'
import { bodyObject, deleteOptions } from './options.ts'

/** Deletes what a list would give, and gives that list. What is gone in between is no mistake. */
export async function deleteCollection(
  call: ResourceCall,
): Promise<{ items: readonly KubeObject[]; revision: number }> {
  const list = listOptions(call.query, false)
  const options = deleteOptions(call.query, bodyObject(bodyValue(call.request)))
  const found = listObjects(call, list)
  for (const object of found.items) {
    const { namespace = '', name } = object.metadata
    const one: ResourceCall = { ...call, info: { ...call.info, namespace, name } }
    try {
      await deleteObject(one, name, options)
    } catch (error) {
      if (!(error instanceof ApiStatusError) || error.status.code !== 404) throw error
    }
  }
  return found
}
