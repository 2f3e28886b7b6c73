import type { KubeObject } from '../api-server/kube-object.ts'
import { clone } from '../api-server/schema/json.ts'
import type { NewObject } from './cluster-client.ts'
import { controllerReference } from './ownership.ts'
import type { Resource } from './resources.ts'
import type { PodTemplate } from './types.ts'

/** A pod that an owner is to create; its name comes from the owner's and chance. */
export function podFromTemplate(template: PodTemplate, owner: KubeObject, resource: Resource): NewObject {
  const { labels, annotations, finalizers } = template.metadata ?? {}
  return {
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace!,
      ...(labels ? { labels: { ...labels } } : {}),
      ...(annotations ? { annotations: { ...annotations } } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [controllerReference(resource, owner)],
    },
    spec: clone(template.spec),
  }
}
