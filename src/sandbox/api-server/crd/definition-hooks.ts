import type { WriteHooks } from '../handlers/hooks.ts'
import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'

/** The fields of a definition's status that only the server knows. */
export const definitionHooks: WriteHooks = {
  before(draft, old) {
    const status = objectOf(draft['status'])
    draft['status'] = old
      ? { ...status, storedVersions: storedVersions(draft, status) }
      : { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: storedVersions(draft, {}) }
    return () => undefined
  },
}

/** Every version that was ever the one to store, so that none is dropped whose objects are still there. */
function storedVersions(definition: KubeObject, status: JsonObject): string[] {
  const before = listOf(status['storedVersions']).map(textOf)
  const storage = listOf(objectOf(definition['spec'])['versions'])
    .map(objectOf)
    .filter((version) => version['storage'] === true)
    .map((version) => textOf(version['name']))
  return [...before, ...storage.filter((version) => !before.includes(version))]
}
