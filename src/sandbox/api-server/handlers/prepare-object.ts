import type { ResourceCall } from '../context.ts'
import type { KubeObject, ObjectMeta } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import type { Resource } from '../registry/resource.ts'
import { defaultBuiltIn, validateBuiltIn } from '../schema/built-in.ts'
import { clone, type JsonObject, listOf, objectOf, sameJson, textOf } from '../schema/json.ts'
import { finalizerWarnings, validateObjectMeta, validateObjectMetaUpdate } from '../schema/metadata.ts'
import { invalid } from '../status.ts'
import { completeService } from './complete-service.ts'

/** A copy of the object with the defaults of its kind and version. */
export const withDefaults = ({ custom, apiVersion, kind }: Resource, object: KubeObject): KubeObject =>
  (custom ? custom.schema.applyDefaults(object) : defaultBuiltIn(apiVersion, kind, object)) as KubeObject

/** Fields that only the server sets. They are removed from an object that a user creates. */
const systemFields = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink']

export function withoutSystemFields(object: KubeObject): KubeObject {
  const metadata = { ...object.metadata }
  for (const field of systemFields) delete metadata[field]
  return { ...object, metadata }
}

/** Turns a draft into the stored form of a new object. */
export function prepareForCreate({ resource, context }: ResourceCall, draft: KubeObject, now: string): void {
  const { newGeneration, initialStatus } = behaviourOf(resource)
  draft.metadata = { ...withoutSystemFields(draft).metadata, uid: context.uuid(), creationTimestamp: now }
  // Only the server counts generations.
  delete draft.metadata.generation
  if (newGeneration) draft.metadata.generation = 1
  if (initialStatus) draft['status'] = clone(initialStatus)
  if (resource.custom?.status) delete draft['status']
  if (resource.storage === '/pods') draft['status'] = { phase: 'Pending', qosClass: qosClass(draft) }
  if (resource.storage === '/services') completeService(context.store, draft, undefined)
  if (resource.storage === definitions) completeDefinition(draft, {})
  if (resource.storage !== '/namespaces') return
  labelNamespace(draft)
  // The namespace controller, which empties the namespace, has this finalizer.
  draft['spec'] = { finalizers: ['kubernetes'] }
}

/** The label by which selectors find a namespace by name. */
function labelNamespace({ metadata }: KubeObject): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
}

/** Restores the fields of an updated object that users cannot change through the main resource. */
export function prepareForUpdate(call: ResourceCall, draft: KubeObject, old: KubeObject): void {
  const { resource, subresource, context } = call
  if (subresource?.name === 'ephemeralcontainers') {
    const { ephemeralContainers } = objectOf(draft['spec'])
    draft['spec'] = { ...clone(objectOf(old['spec'])), ephemeralContainers }
  }
  if (resource.subresources.some(({ name }) => name === 'status')) restore(draft, old, 'status')
  if (resource.storage === '/namespaces') {
    draft['spec'] = { ...objectOf(old['spec']) }
    labelNamespace(draft)
  }
  if (resource.storage === '/services') completeService(context.store, draft, old)
  if (resource.storage === definitions) completeDefinition(draft, objectOf(draft['status']))
  keepMetadata(draft.metadata, old.metadata)
  const changed = behaviourOf(resource).newGeneration?.(draft, old)
  if (changed) draft.metadata.generation = (draft.metadata.generation ?? 0) + 1
}

/** Restores all fields of an object except the status, for an update of the status. */
export function prepareForStatusUpdate({ resource }: ResourceCall, draft: KubeObject, old: KubeObject): void {
  const { metadata, apiVersion, kind, status } = draft
  for (const field of Object.keys(draft)) delete draft[field]
  Object.assign(draft, clone(old), { apiVersion, kind, metadata })
  if (status === undefined) delete draft['status']
  else draft['status'] = status
  for (const field of behaviourOf(resource).statusKeeps) restore(draft.metadata, old.metadata, field)
  keepMetadata(draft.metadata, old.metadata)
  const { qosClass } = objectOf(old['status'])
  if (resource.storage === '/pods' && qosClass) draft['status'] = { qosClass, ...objectOf(draft['status']) }
}

function restore(target: JsonObject, source: JsonObject, field: string): void {
  if (source[field] === undefined) delete target[field]
  else target[field] = clone(source[field]!)
}

function keepMetadata(metadata: ObjectMeta, old: ObjectMeta): void {
  metadata.uid ||= old.uid!
  for (const field of ['generation', 'creationTimestamp', 'deletionTimestamp']) restore(metadata, old, field)
  if (metadata.deletionGracePeriodSeconds === undefined) restore(metadata, old, 'deletionGracePeriodSeconds')
}

/** Whether two states of an object differ only in resourceVersion and in the times in managedFields. */
export function sameContent(a: KubeObject, b: KubeObject): boolean {
  const bare = (object: KubeObject): JsonObject => {
    const { resourceVersion: _, managedFields, ...metadata } = object.metadata
    const timeless = (managedFields ?? []).map(({ time: __, ...entry }) => entry)
    return { ...object, metadata: { ...metadata, managedFields: timeless } }
  }
  return sameJson(bare(a), bare(b))
}

/** @throws {ApiStatusError} 422 with all errors of the object */
export function checkValid(
  { resource, subresource, warnings }: ResourceCall,
  draft: KubeObject,
  old?: KubeObject,
): void {
  const { custom, apiVersion, kind, group, namespaced, names } = resource
  const values = old && subresource?.name === 'status' ? 'validateStatus' : 'validate'
  const issues = [
    ...(old ? validateObjectMetaUpdate(draft, old) : validateObjectMeta(draft, namespaced, names)),
    ...(custom ? custom.schema[values](draft, old!) : validateBuiltIn(apiVersion, kind, draft, old)),
  ]
  if (issues.length > 0) throw invalid({ group, kind }, draft.metadata.name ?? '', issues)
  if (custom && !subresource) warnings.push(...finalizerWarnings(draft, old))
}

const definitions = 'apiextensions.k8s.io/customresourcedefinitions'

/**
 * Adds the current storage version to the list of all versions that were ever stored, so that no version is dropped
 * while its objects exist.
 */
function completeDefinition(definition: KubeObject, status: JsonObject): void {
  const versions = listOf(objectOf(definition['spec'])['versions']).map(objectOf)
  const storage = versions.filter((version) => version['storage'] === true).map((version) => textOf(version['name']))
  const storedVersions = [...new Set([...listOf(status['storedVersions']).map(textOf), ...storage])]
  definition['status'] = { conditions: null, acceptedNames: { plural: '', kind: '' }, ...status, storedVersions }
}

/** The field `status.qosClass` of a pod. It depends on the requests and limits of the pod's containers. */
function qosClass(pod: KubeObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const spec = objectOf(pod['spec'])
  const resources = [...listOf(spec['containers']), ...listOf(spec['initContainers'])].map((container) => {
    const { requests, limits } = objectOf(objectOf(container)['resources'])
    return { requests: objectOf(requests), limits: objectOf(limits) }
  })
  const counted = ['cpu', 'memory']
  if (!resources.some(({ requests, limits }) => counted.some((name) => requests[name] ?? limits[name])))
    return 'BestEffort'
  const isGuaranteed = resources.every(({ requests, limits }) =>
    counted.every((name) => limits[name] && String(requests[name] ?? limits[name]) === String(limits[name])),
  )
  return isGuaranteed ? 'Guaranteed' : 'Burstable'
}
