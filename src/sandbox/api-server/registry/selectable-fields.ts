import type { KubeObject } from '../kube-object.ts'
import { at } from '../schema/json.ts'
import { badRequest } from '../status.ts'
import type { Resource } from './resource.ts'

const everywhere = ['metadata.name', 'metadata.namespace']
const involved = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath']
const podSpec = ['nodeName', 'restartPolicy', 'schedulerName', 'serviceAccountName', 'hostNetwork']

/** The fields by which a resource's objects can be selected, in addition to name and namespace. */
const fields: Record<string, readonly string[]> = {
  '/pods': [...podSpec.map((name) => `spec.${name}`), 'status.phase', 'status.podIP', 'status.nominatedNodeName'],
  '/nodes': ['spec.unschedulable'],
  '/namespaces': ['status.phase'],
  '/secrets': ['type'],
  '/services': ['spec.clusterIP', 'spec.type'],
  '/events': [...involved.map((name) => `involvedObject.${name}`), 'reason', 'reportingComponent', 'source', 'type'],
  'apps/replicasets': ['status.replicas'],
}

/** The core/v1 name of an events.k8s.io/v1 field. */
const coreEventField = (label: string): string =>
  label === 'reportingController' ? 'reportingComponent' : label.replace(/^regarding\./, 'involvedObject.')

/**
 * The stored field for a label of a field selector.
 * @throws {ApiStatusError} 400 for a field that cannot select the resource
 */
export function selectableField(resource: Resource, label: string): string {
  if (everywhere.includes(label)) return label
  const stored = resource.group === 'events.k8s.io' ? coreEventField(label) : label
  if (fields[resource.storage]?.includes(stored)) return stored
  // For core kinds with their own selectable fields, the server's text differs.
  if (resource.custom || (resource.storage.startsWith('/') && fields[resource.storage]))
    throw badRequest(`field label not supported: ${label}`)
  throw badRequest(`"${label}" is not a known field selector: only "metadata.name", "metadata.namespace"`)
}

const absent: Readonly<Record<string, string>> = {
  'spec.unschedulable': 'false',
  'spec.hostNetwork': 'false',
  'status.replicas': '0',
}

/** The value of a field as text. An absent field is empty, an absent boolean false, and an absent number 0. */
export function fieldText(object: KubeObject, field: string): string {
  if (field === 'source') return String(at(object, 'source', 'component') ?? at(object, 'reportingComponent') ?? '')
  const value = at(object, ...field.split('.'))
  if (value === undefined || value === null) return absent[field] ?? ''
  return typeof value === 'object' ? '' : String(value)
}
