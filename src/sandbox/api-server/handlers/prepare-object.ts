import type { KubeObject, ObjectMeta } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import type { Resource } from '../registry/resource.ts'
import { clone, type JsonObject, objectOf, sameJson } from '../schema/json.ts'
import { preparePod } from './pods/prepare-pod.ts'

/** What only the server sets: taken out of what a user sends for a new object. */
const systemFields = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
] as const

export function withoutSystemFields(object: KubeObject): KubeObject {
  const metadata = { ...object.metadata }
  for (const field of systemFields) delete metadata[field]
  return { ...object, metadata }
}

/** Makes of a draft what is stored of a new object. */
export function prepareForCreate(resource: Resource, draft: KubeObject, uid: string, now: string): void {
  const behaviour = behaviourOf(resource)
  draft.metadata = { ...draft.metadata, uid, creationTimestamp: now }
  // Only the server counts generations.
  delete draft.metadata.generation
  if (behaviour.newGeneration) draft.metadata.generation = 1
  if (behaviour.initialStatus) draft['status'] = clone(behaviour.initialStatus)
  if (resource.custom?.status) delete draft['status']
  if (resource.storage === '/pods') preparePod(draft)
  if (resource.storage === '/namespaces') completeNamespace(draft)
}

/** The label by which selectors find a namespace by name, and the finalizer that empties it. */
function completeNamespace(namespace: KubeObject): void {
  labelNamespace(namespace)
  const spec = objectOf(namespace['spec'])
  const finalizers = Array.isArray(spec['finalizers']) ? spec['finalizers'] : []
  namespace['spec'] = {
    ...spec,
    finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'],
  }
}

function labelNamespace({ metadata }: KubeObject): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
}

/** Gives a draft of an update what a user cannot change through the main resource. */
export function prepareForUpdate(resource: Resource, draft: KubeObject, old: KubeObject): void {
  const behaviour = behaviourOf(resource)
  if (hasStatus(resource)) restore(draft, old, 'status')
  if (resource.storage === '/namespaces') {
    draft['spec'] = { ...objectOf(old['spec']) }
    labelNamespace(draft)
  }
  keepMetadata(draft.metadata, old.metadata)
  const { generation } = old.metadata
  const next = behaviour.newGeneration?.(draft, old) ? (generation ?? 0) + 1 : generation
  if (next === undefined) delete draft.metadata.generation
  else draft.metadata.generation = next
}

/** The same for an update of the status: everything else stays as it was. */
export function prepareForStatusUpdate(resource: Resource, draft: KubeObject, old: KubeObject): void {
  const { metadata, apiVersion, kind, status } = draft
  for (const field of Object.keys(draft)) delete draft[field]
  Object.assign(draft, clone(old), { apiVersion, kind, metadata })
  if (status === undefined) delete draft['status']
  else draft['status'] = status
  for (const field of behaviourOf(resource).statusKeeps) restore(draft.metadata, old.metadata, field)
  keepMetadata(draft.metadata, old.metadata)
  if (old.metadata.generation === undefined) delete draft.metadata.generation
  else draft.metadata.generation = old.metadata.generation
  if (resource.storage === '/pods') keepQosClass(draft, old)
}

function keepQosClass(pod: KubeObject, old: KubeObject): void {
  const status = objectOf(pod['status'])
  const { qosClass } = objectOf(old['status'])
  if (status['qosClass'] === undefined && qosClass !== undefined) pod['status'] = { ...status, qosClass }
}

const hasStatus = (resource: Resource): boolean => resource.subresources.some(({ name }) => name === 'status')

function restore(target: JsonObject, source: JsonObject, field: string): void {
  if (source[field] === undefined) delete target[field]
  else target[field] = clone(source[field]!)
}

function keepMetadata(metadata: ObjectMeta, old: ObjectMeta): void {
  if (!metadata.uid && old.uid) metadata.uid = old.uid
  if (old.creationTimestamp) metadata.creationTimestamp = old.creationTimestamp
  if (old.deletionTimestamp) metadata.deletionTimestamp = old.deletionTimestamp
  if (old.deletionGracePeriodSeconds !== undefined && metadata.deletionGracePeriodSeconds === undefined)
    metadata.deletionGracePeriodSeconds = old.deletionGracePeriodSeconds
}

/** Whether two states of an object differ in nothing but the version and the times in managedFields. */
export function sameContent(a: KubeObject, b: KubeObject): boolean {
  const bare = (object: KubeObject): JsonObject => {
    const { resourceVersion: _, managedFields, ...metadata } = object.metadata
    const timeless = (managedFields ?? []).map(({ time: __, ...entry }) => entry)
    return { ...object, metadata: { ...metadata, managedFields: timeless } }
  }
  return sameJson(bare(a), bare(b))
}
