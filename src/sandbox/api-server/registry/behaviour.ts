import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, sameJson } from '../schema/json.ts'
import type { Resource } from './resource.ts'

/** How writes of a resource's objects behave, as Kubernetes' strategies define it (pkg/registry). */
export interface Behaviour {
  /** Whether a change counts as a new generation; undefined for kinds without a generation. */
  readonly newGeneration: ((object: KubeObject, old: KubeObject) => boolean) | undefined
  /** Whether an update without a resourceVersion replaces any version. */
  readonly unconditionalUpdate: boolean
  /** Whether a PUT of a missing object creates it. */
  readonly createOnUpdate: boolean
  /** Whether a delete answers with the object instead of a Status. */
  readonly returnsDeleted: boolean
  /** The default propagation of a delete to dependents. */
  readonly defaultPropagation: 'Background' | 'Orphan' | 'None'
  /** The status of a new object; undefined to keep the status that the client sent. */
  readonly initialStatus: JsonObject | undefined
  /** Metadata fields that an update of the status cannot change. */
  readonly statusKeeps: readonly string[]
}

const plain: Behaviour = {
  newGeneration: undefined,
  unconditionalUpdate: true,
  createOnUpdate: false,
  returnsDeleted: false,
  defaultPropagation: 'Background',
  initialStatus: undefined,
  statusKeeps: [],
}

const differs =
  (...fields: string[]) =>
  (object: KubeObject, old: KubeObject): boolean =>
    fields.some((field) => !sameJson(object[field], old[field]))

const ofSpec: Partial<Behaviour> = { newGeneration: differs('spec') }
const conditional: Partial<Behaviour> = { unconditionalUpdate: false }
const creating: Partial<Behaviour> = { createOnUpdate: true }
const returning: Partial<Behaviour> = { returnsDeleted: true }
const webhooks: Partial<Behaviour> = { ...conditional, newGeneration: differs('webhooks') }

const deployment: Partial<Behaviour> = {
  newGeneration: (object, old) =>
    differs('spec')(object, old) || !sameJson(object.metadata.annotations, old.metadata.annotations),
  initialStatus: {},
  statusKeeps: ['labels'],
}
const noDaemons = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }
const noBudget = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }

/** Resources whose behaviour differs from the defaults, by group and plural. */
const special: Readonly<Record<string, Partial<Behaviour>>> = {
  '/namespaces': { ...returning, initialStatus: { phase: 'Active' } },
  '/pods': { ...ofSpec, ...returning, statusKeeps: ['ownerReferences'] },
  '/serviceaccounts': returning,
  '/services': { ...returning, ...creating, initialStatus: { loadBalancer: {} } },
  '/events': { ...creating, defaultPropagation: 'None' },
  'apps/daemonsets': { ...ofSpec, initialStatus: noDaemons },
  'apps/deployments': deployment,
  'apps/replicasets': { ...ofSpec, initialStatus: { replicas: 0 } },
  'apps/statefulsets': { ...ofSpec, initialStatus: { replicas: 0, availableReplicas: 0 } },
  'policy/poddisruptionbudgets': { ...ofSpec, ...conditional, initialStatus: noBudget },
  'scheduling.k8s.io/priorityclasses': { newGeneration: () => false },
  'coordination.k8s.io/leases': { ...conditional, ...creating },
  'rbac.authorization.k8s.io/clusterroles': creating,
  'rbac.authorization.k8s.io/clusterrolebindings': creating,
  'rbac.authorization.k8s.io/roles': creating,
  'rbac.authorization.k8s.io/rolebindings': creating,
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhooks,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhooks,
  'apiextensions.k8s.io/customresourcedefinitions': { ...ofSpec, ...conditional },
}

const maxMetadata =
  'labels annotations ownerReferences finalizers deletionTimestamp deletionGracePeriodSeconds generateName'.split(' ')

/**
 * The behaviour of custom resources. Every change counts as a new generation, except changes of the metadata, and of
 * the status if it has its own endpoint.
 */
function custom(hasStatus: boolean): Behaviour {
  const ignored = new Set(['metadata', 'apiVersion', 'kind', ...(hasStatus ? ['status'] : [])])
  const content = (object: KubeObject): JsonObject =>
    Object.fromEntries(Object.entries(object).filter(([name]) => !ignored.has(name))) as JsonObject
  return {
    ...plain,
    newGeneration: (object, old) => !sameJson(content(object), content(old)),
    unconditionalUpdate: false,
    statusKeeps: maxMetadata,
  }
}

/** The behaviour of a resource. */
export const behaviourOf = (resource: Resource): Behaviour =>
  resource.custom ? custom(resource.custom.status) : { ...plain, ...special[resource.storage] }
