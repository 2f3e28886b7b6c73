import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, objectOf, sameJson } from '../schema/json.ts'
import type { Resource } from './resource.ts'

/** How the objects of a resource behave when they are written: what Kubernetes' strategies (pkg/registry) say. */
export interface Behaviour {
  /** Whether a change counts as a new generation; undefined for kinds that have none. */
  readonly newGeneration: ((object: KubeObject, old: KubeObject) => boolean) | undefined
  /** An update without a resourceVersion replaces whatever is there. */
  readonly unconditionalUpdate: boolean
  /** A PUT of a name that is not there creates it. */
  readonly createOnUpdate: boolean
  /** A delete answers with the object rather than a Status. */
  readonly returnsDeleted: boolean
  /** What a delete does to dependents when it does not say. */
  readonly defaultPropagation: 'Background' | 'Orphan' | 'None'
  /** What a new object has as its status, whatever was sent; undefined leaves what was sent. */
  readonly initialStatus: JsonObject | undefined
  /** Metadata that an update of the status leaves as it was. */
  readonly statusKeeps: readonly string[]
}

const differs =
  (...fields: string[]) =>
  (object: KubeObject, old: KubeObject): boolean =>
    fields.some((field) => !sameJson(object[field], old[field]))

const deploymentChanged = (object: KubeObject, old: KubeObject): boolean =>
  differs('spec')(object, old) || !sameJson(object.metadata.annotations, old.metadata.annotations)

/** Everything but metadata and status. */
function contentChanged(hasStatus: boolean): (object: KubeObject, old: KubeObject) => boolean {
  const content = ({ metadata: _, apiVersion: __, kind: ___, ...rest }: KubeObject): JsonObject => {
    const { status: ____, ...withoutStatus } = rest
    return hasStatus ? withoutStatus : rest
  }
  return (object, old) => !sameJson(content(object), content(old))
}

const generations: Record<string, Behaviour['newGeneration']> = {
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': differs('webhooks'),
  'admissionregistration.k8s.io/validatingwebhookconfigurations': differs('webhooks'),
  'apiextensions.k8s.io/customresourcedefinitions': differs('spec'),
  'apps/daemonsets': differs('spec'),
  'apps/deployments': deploymentChanged,
  'apps/replicasets': differs('spec'),
  'apps/statefulsets': differs('spec'),
  'batch/cronjobs': differs('spec'),
  'batch/jobs': differs('spec'),
  '/pods': differs('spec'),
  '/podtemplates': differs('template'),
  '/replicationcontrollers': differs('spec'),
  'discovery.k8s.io/endpointslices': differs('endpoints', 'ports', 'addressType'),
  'networking.k8s.io/ingresses': differs('spec'),
  'networking.k8s.io/ingressclasses': differs('spec'),
  'networking.k8s.io/networkpolicies': differs('spec'),
  'policy/poddisruptionbudgets': differs('spec'),
  'scheduling.k8s.io/priorityclasses': () => false,
}

const conditionalUpdate = new Set([
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'apiextensions.k8s.io/customresourcedefinitions',
  'coordination.k8s.io/leases',
  'node.k8s.io/runtimeclasses',
  'policy/poddisruptionbudgets',
])

const createOnUpdate = new Set([
  'coordination.k8s.io/leases',
  '/endpoints',
  '/events',
  '/limitranges',
  '/services',
  'node.k8s.io/runtimeclasses',
  'rbac.authorization.k8s.io/clusterroles',
  'rbac.authorization.k8s.io/clusterrolebindings',
  'rbac.authorization.k8s.io/roles',
  'rbac.authorization.k8s.io/rolebindings',
])

const returnsDeleted = new Set([
  '/namespaces',
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'storage.k8s.io/storageclasses',
])

const initialStatus: Record<string, JsonObject> = {
  '/namespaces': { phase: 'Active' },
  '/persistentvolumeclaims': { phase: 'Pending' },
  '/persistentvolumes': { phase: 'Pending' },
  '/replicationcontrollers': { replicas: 0 },
  '/resourcequotas': {},
  '/services': { loadBalancer: {} },
  'apps/daemonsets': { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
  'apps/deployments': {},
  'apps/replicasets': { replicas: 0 },
  'apps/statefulsets': { replicas: 0, availableReplicas: 0 },
  'batch/cronjobs': {},
  'batch/jobs': {},
  'networking.k8s.io/ingresses': { loadBalancer: {} },
  'policy/poddisruptionbudgets': { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
}

const orphaning = new Set(['batch/jobs', '/replicationcontrollers'])
const withoutDependents = new Set(['/events'])

const everyMetadata = [
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generateName',
]
const statusKeeps: Record<string, readonly string[]> = {
  'apps/deployments': ['labels'],
  '/pods': ['ownerReferences'],
}

const known = new Map<string, Behaviour>()

/** The behaviour of a resource. */
export function behaviourOf(resource: Resource): Behaviour {
  return resource.custom ? customBehaviour(resource.custom.status) : builtInBehaviour(resource.storage)
}

function builtInBehaviour(storage: string): Behaviour {
  const found = known.get(storage)
  if (found) return found
  const made: Behaviour = {
    newGeneration: generations[storage],
    unconditionalUpdate: !conditionalUpdate.has(storage),
    createOnUpdate: createOnUpdate.has(storage),
    returnsDeleted: returnsDeleted.has(storage),
    defaultPropagation: withoutDependents.has(storage) ? 'None' : orphaning.has(storage) ? 'Orphan' : 'Background',
    initialStatus: initialStatus[storage],
    statusKeeps: statusKeeps[storage] ?? [],
  }
  known.set(storage, made)
  return made
}

function customBehaviour(status: boolean): Behaviour {
  return {
    newGeneration: contentChanged(status),
    unconditionalUpdate: false,
    createOnUpdate: false,
    returnsDeleted: false,
    defaultPropagation: 'Background',
    initialStatus: undefined,
    statusKeeps: everyMetadata,
  }
}

/** The status of an object, or an empty one. */
export const statusOf = (object: KubeObject): JsonObject => objectOf(object['status'])
