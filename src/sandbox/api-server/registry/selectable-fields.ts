import type { KubeObject } from '../kube-object.ts'
import { at } from '../schema/json.ts'
import { badRequest } from '../status.ts'
import type { Resource } from './resource.ts'

const everywhere = ['metadata.name', 'metadata.namespace']

/** By which fields the objects of a resource can be selected, besides name and namespace. */
const fields: Record<string, readonly string[]> = {
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  '/nodes': ['spec.unschedulable'],
  '/namespaces': ['status.phase'],
  '/secrets': ['type'],
  '/services': ['spec.clusterIP', 'spec.type'],
  '/replicationcontrollers': ['status.replicas'],
  '/events': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  'apps/replicasets': ['status.replicas'],
  'batch/jobs': ['status.successful'],
}

/** Where kinds have conversions of their own for field labels, the server refuses with another text. */
const plainText = new Set([
  '/pods',
  '/nodes',
  '/namespaces',
  '/secrets',
  '/services',
  '/replicationcontrollers',
  '/events',
])

/** What events.k8s.io calls the fields of an event. */
const eventNames: Record<string, string> = {
  'regarding.kind': 'involvedObject.kind',
  'regarding.namespace': 'involvedObject.namespace',
  'regarding.name': 'involvedObject.name',
  'regarding.uid': 'involvedObject.uid',
  'regarding.apiVersion': 'involvedObject.apiVersion',
  'regarding.resourceVersion': 'involvedObject.resourceVersion',
  'regarding.fieldPath': 'involvedObject.fieldPath',
  reportingController: 'reportingComponent',
}

/**
 * The stored field that a label of a field selector names.
 * @throws {ApiStatusError} 400 for a field by which the resource cannot be selected
 */
export function selectableField(resource: Resource, label: string): string {
  if (everywhere.includes(label)) return label
  if (resource.custom?.selectableFields.includes(`.${label}`)) return label
  const stored = resource.group === 'events.k8s.io' ? (eventNames[label] ?? label) : label
  if (fields[resource.storage]?.includes(stored)) return stored
  if (resource.custom) throw badRequest(`field label not supported: ${label}`)
  if (plainText.has(resource.storage)) throw badRequest(`field label not supported: ${label}`)
  if (resource.storage === 'batch/jobs') throw badRequest(`field label "${label}" not supported for Job`)
  throw badRequest(`"${label}" is not a known field selector: only "metadata.name", "metadata.namespace"`)
}

/** The value of a field as text; absent fields are empty, absent booleans false, absent numbers 0. */
export function fieldText(object: KubeObject, field: string): string {
  if (field === 'metadata.name') return object.metadata.name
  if (field === 'metadata.namespace') return object.metadata.namespace ?? ''
  if (field === 'source') return String(at(object, 'source', 'component') ?? at(object, 'reportingComponent') ?? '')
  if (field === 'status.successful') return String(at(object, 'status', 'succeeded') ?? 0)
  const value = at(object, ...field.split('.'))
  if (value === undefined || value === null) return emptyText(field)
  return typeof value === 'object' ? '' : String(value)
}

const booleans = new Set(['spec.unschedulable', 'spec.hostNetwork'])
const emptyText = (field: string): string => (booleans.has(field) ? 'false' : field === 'status.replicas' ? '0' : '')
