import type { ResourceCall } from '../../context.ts'
import type { KubeObject } from '../../kube-object.ts'
import { clone, type JsonValue, listOf, objectOf, textOf } from '../../schema/json.ts'
import { prepareForUpdate } from '../prepare-object.ts'

/** What the subresources `ephemeralcontainers` and `resize` may change of a pod; everything else stays. */
const parts: Record<string, (draft: KubeObject, old: KubeObject) => Record<string, JsonValue | undefined>> = {
  ephemeralcontainers: (draft) => ({ ephemeralContainers: objectOf(draft['spec'])['ephemeralContainers'] }),
  resize: (draft, old) => ({ containers: resized(draft, old) }),
}

export function preparePodPart({ resource, subresource }: ResourceCall, draft: KubeObject, old: KubeObject): void {
  const changed = parts[subresource!.name]!(draft, old)
  draft['spec'] = { ...clone(objectOf(old['spec'])), ...changed }
  prepareForUpdate(resource, draft, old)
}

function resized(draft: KubeObject, old: KubeObject): JsonValue[] {
  const wanted = listOf(objectOf(draft['spec'])['containers']).map(objectOf)
  return listOf(objectOf(old['spec'])['containers']).map((one) => {
    const container = clone(objectOf(one))
    const found = wanted.find(({ name }) => textOf(name) === textOf(container['name']))
    if (!found) return container
    const { resources, resizePolicy } = found
    return { ...container, ...(resources ? { resources } : {}), ...(resizePolicy ? { resizePolicy } : {}) }
  })
}
