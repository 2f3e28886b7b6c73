import type { KubeObject } from '../kube-object.ts'
import type { Resource } from '../registry/resource.ts'
import { defaultBuiltIn } from '../schema/built-in.ts'

/** A copy with the defaults of its kind and version. */
export function withDefaults(resource: Resource, object: KubeObject): KubeObject {
  return (
    resource.custom
      ? resource.custom.schema.applyDefaults(object)
      : defaultBuiltIn(resource.apiVersion, resource.kind, object)
  ) as KubeObject
}
