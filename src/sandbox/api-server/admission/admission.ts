import type { Random } from '../../../base/random.ts'
import type { KubeObject } from '../kube-object.ts'
import { managedFieldsProblem } from '../patch/managed-fields.ts'
import { listOf, objectOf } from '../schema/json.ts'
import { ApiStatusError, forbidden, notFound } from '../status.ts'
import type { Store } from '../store/store.ts'
import type { Admission, AdmissionRequest } from './admission-request.ts'
import { podDefaults } from './pod-defaults.ts'
import { mutateByWebhooks, validateByWebhooks, type WebhookPorts } from './webhooks.ts'

/** Checks the namespace, completes new pods and nodes, and calls the webhooks. */
export class ServerAdmission implements Admission {
  private readonly ports: WebhookPorts
  private readonly random: Random

  constructor(ports: WebhookPorts, random: Random) {
    this.ports = ports
    this.random = random
  }

  async mutate(request: AdmissionRequest): Promise<KubeObject> {
    checkNamespace(request, this.ports.store)
    if (!request.object) {
      await mutateByWebhooks(this.ports, request)
      return request.oldObject!
    }
    const completed = this.complete(request, request.object)
    const mutated = await mutateByWebhooks(this.ports, { ...request, object: completed })
    return withSoundManagers(request, mutated ?? completed)
  }

  validate(request: AdmissionRequest): Promise<void> {
    return validateByWebhooks(this.ports, request)
  }

  /** Adds the fields that the server itself sets in new pods and nodes. */
  private complete({ resource, subresource, operation, namespace }: AdmissionRequest, object: KubeObject): KubeObject {
    if (operation !== 'CREATE' || subresource !== '') return object
    if (resource.storage === '/pods') return podDefaults(object, namespace, this.ports.store, this.random)
    return resource.storage === '/nodes' ? withTaint(object) : object
  }
}

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }

/** Adds a taint to a new node, which is not ready until its kubelet reports so. */
function withTaint(node: KubeObject): KubeObject {
  const spec = objectOf(node['spec'])
  const others = listOf(spec['taints']).filter((taint) => objectOf(taint)['key'] !== notReady.key)
  return { ...node, spec: { ...spec, taints: [...others, notReady] } }
}

const immortal = ['default', 'kube-system', 'kube-public']
const namespaces = { group: '', resource: 'namespaces' }

/**
 * Refuses objects in a missing or terminating namespace, and the deletion of some namespaces.
 * @throws {ApiStatusError}
 */
function checkNamespace({ operation, resource, namespace, name, object }: AdmissionRequest, store: Store): void {
  if (operation === 'DELETE' && resource.storage === '/namespaces' && immortal.includes(name))
    throw forbidden(namespaces, name, 'this namespace may not be deleted')
  if (operation === 'DELETE' || !resource.namespaced) return
  const found = store.get('/namespaces', '', namespace)
  if (!found) throw notFound(namespaces, namespace)
  if (operation !== 'CREATE' || !found.metadata.deletionTimestamp) return
  const { status } = forbidden(
    { group: resource.group, resource: resource.plural },
    name || object?.metadata.generateName || '',
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  )
  // The cause tells clients that a retry is useless.
  const message = `namespace ${namespace} is being terminated`
  const causes = [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }]
  throw new ApiStatusError({ ...status, details: { ...status.details, causes } })
}

/**
 * The object with valid managed fields. A webhook that uses an older form of the object may break these fields. Then
 * they stay unchanged.
 */
function withSoundManagers({ object: before, warnings }: AdmissionRequest, object: KubeObject): KubeObject {
  const problem = managedFieldsProblem(object)
  if (problem === undefined) return object
  warnings.push(`.metadata.managedFields was in an invalid state after admission: ${problem}`)
  const { managedFields: _, ...metadata } = object.metadata
  const kept = before?.metadata.managedFields
  return { ...object, metadata: { ...metadata, ...(kept ? { managedFields: kept } : {}) } }
}
