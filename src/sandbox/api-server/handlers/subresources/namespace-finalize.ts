import type { ResourceCall } from '../../context.ts'
import { type ApiResponse, json } from '../../request.ts'
import { clone, listOf, objectOf } from '../../schema/json.ts'
import { decodeObject } from '../decode-body.ts'
import { writeOptions } from '../options.ts'
import { updateObject } from '../update-object.ts'

/** PUT of `namespaces/finalize`: says which of `spec.finalizers` still have work to do. */
export async function handleNamespaceFinalize(call: ResourceCall): Promise<ApiResponse> {
  const options = writeOptions(call.query, 'Update')
  const sent = decodeObject(call, options)
  const finalizers = listOf(objectOf(sent['spec'])['finalizers'])
  const { object } = await updateObject(
    call,
    {
      name: call.info.name,
      createMissing: false,
      produce: (current) => ({
        ...clone(current!),
        metadata: { ...clone(current!.metadata), resourceVersion: sent.metadata.resourceVersion ?? '' },
        spec: finalizers.length > 0 ? { finalizers } : {},
      }),
      prepare: () => undefined,
    },
    options,
  )
  return json(200, object)
}
