import type { ApiContext } from '../context.ts'
import { groupResource, namespaceOf, type ResourceCall, systemCall, timestamp } from '../context.ts'
import type { KubeObject, ObjectMeta } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import type { Resource } from '../registry/resource.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import { listOf, objectOf } from '../schema/json.ts'
import { ApiStatusError, conflict, notFound } from '../status.ts'
import { StaleWriteError } from '../store/store.ts'
import { listObjects, type ObjectList } from './list-objects.ts'
import { type DeleteOptions, deleteOptions, listOptions } from './options.ts'
import { admissionFor } from './write-object.ts'

export const orphanFinalizer = 'orphan'
export const foregroundFinalizer = 'foregroundDeletion'
export const definitions = 'apiextensions.k8s.io/customresourcedefinitions'
/** The finalizer that keeps a definition until its objects are deleted. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

export interface Deleted {
  /** The object's last state, or its state while it waits for deletion. */
  readonly object: KubeObject
  readonly gone: boolean
}

/**
 * Deletes an object. If the object must wait for a grace period, finalizers or dependents, only marks it as deleted.
 * @throws {ApiStatusError}
 */
export async function deleteObject(call: ResourceCall, name: string, options: DeleteOptions): Promise<Deleted> {
  for (;;) {
    try {
      return await tryDelete(call, name, options)
    } catch (error) {
      // Another client has written the object: read it again, until it is gone or marked.
      if (!(error instanceof StaleWriteError)) throw error
    }
  }
}

/** Deletes the objects of a list, and returns this list. */
export async function deleteCollection(call: ResourceCall, options: DeleteOptions): Promise<ObjectList> {
  const found = listObjects(call, listOptions(call.query, false))
  for (const { metadata } of found.items) {
    const { namespace = '', name } = metadata
    await unlessGone(deleteObject({ ...call, info: { ...call.info, namespace, name } }, name, options))
  }
  return found
}

/** Deletes an object for the server itself. Does nothing if the object is gone or replaced. */
export async function deleteBySystem(
  context: ApiContext,
  resource: Resource,
  { metadata }: KubeObject,
  propagationPolicy?: DeleteOptions['propagation'],
): Promise<void> {
  const { namespace = '', name, uid = '' } = metadata
  const body = { preconditions: { uid }, ...(propagationPolicy ? { propagationPolicy } : {}) }
  const options = deleteOptions(new URLSearchParams(), body)
  await unlessGone(deleteObject(systemCall(context, resource, namespace, name), name, options))
}

async function unlessGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion
  } catch (error) {
    if (!(error instanceof ApiStatusError) || ![404, 409].includes(error.status.code)) throw error
  }
}

async function tryDelete(call: ResourceCall, name: string, options: DeleteOptions): Promise<Deleted> {
  const { context, resource } = call
  const { storage } = resource
  const stored = context.store.get(storage, namespaceOf(call), name)
  if (!stored) throw notFound(groupResource(resource), name)
  checkPreconditions(resource, stored.metadata, options)
  const oldObject = fromStorage(resource, stored)
  const asked = admissionFor(call, 'DELETE', { name, oldObject }, options)
  await context.admission.mutate(asked)
  await context.admission.validate(asked)
  const marked = marking(call, stored, options)
  const gone = marked === 'delete'
  const next = typeof marked === 'string' ? stored : { ...stored, ...marked }
  const present = (object: KubeObject): Deleted => ({ object: fromStorage(resource, object), gone })
  if (options.dryRun || marked === 'unchanged') return present(next)
  return present(gone ? context.store.delete(storage, stored) : context.store.update(storage, stored, next))
}

function checkPreconditions({ group, kind }: Resource, metadata: ObjectMeta, { preconditions }: DeleteOptions): void {
  for (const [field, text, reason] of [
    ['uid', 'UID', 'deleted and then recreated'],
    ['resourceVersion', 'ResourceVersion', 'modified'],
  ] as const) {
    const wanted = preconditions[field]
    if (wanted === undefined || wanted === metadata[field]) continue
    const problem = `the ${text} in the precondition (${wanted}) does not match the ${text} in record (${metadata[field]})`
    // Like the real server, this text names the kind and not the resource.
    throw conflict({ group, resource: kind }, metadata.name, `${problem}. The object might have been ${reason}`)
  }
}

type Marking = 'delete' | 'unchanged' | Partial<KubeObject>

function marking(call: ResourceCall, stored: KubeObject, options: DeleteOptions): Marking {
  const { storage } = call.resource
  const { metadata } = stored
  const now = call.context.clock.now()
  if (storage === '/namespaces') return namespaceMarking(stored, now)
  if (storage === definitions) return definitionMarking(stored, now)
  const grace = storage === '/pods' ? podGrace(stored, options) : 0
  const finalizers = finalizersFor(call.resource, metadata, options)
  const own = finalizers.length > 0 ? { finalizers } : {}
  const current = metadata.deletionGracePeriodSeconds ?? 0
  if (metadata.deletionTimestamp && current > 0) {
    const { gracePeriodSeconds } = options
    if (gracePeriodSeconds === undefined || gracePeriodSeconds >= current) return 'unchanged'
    if (gracePeriodSeconds === 0 && finalizers.length === 0) return 'delete'
    return { metadata: { ...shortened(metadata, gracePeriodSeconds, now), ...own } }
  }
  if (finalizers.length === 0 && (grace === 0 || metadata.deletionTimestamp)) return 'delete'
  if (metadata.deletionTimestamp && finalizers.every((one) => metadata.finalizers?.includes(one))) return 'unchanged'
  return { metadata: { ...deletionStarted(metadata, now, metadata.deletionTimestamp ? 0 : grace), ...own } }
}

function deletionStarted(metadata: ObjectMeta, now: number, grace: number): ObjectMeta {
  if (metadata.deletionTimestamp) return { ...metadata, deletionGracePeriodSeconds: grace }
  const { generation } = metadata
  return {
    ...metadata,
    ...(generation ? { generation: generation + 1 } : {}),
    deletionTimestamp: timestamp(now + grace * 1000),
    deletionGracePeriodSeconds: grace,
  }
}

function shortened(metadata: ObjectMeta, grace: number, now: number): ObjectMeta {
  const started = Date.parse(metadata.deletionTimestamp!) - metadata.deletionGracePeriodSeconds! * 1000
  const due = started + grace * 1000
  return {
    ...metadata,
    deletionTimestamp: timestamp(Math.max(due, now)),
    // Give a pod whose time is over one more second, so that its kubelet sees the deletion.
    deletionGracePeriodSeconds: due < now && grace !== 0 ? 1 : grace,
  }
}

/** Grace period of a pod in seconds; 0 if the pod has no node yet, or has ended. */
function podGrace(pod: KubeObject, { gracePeriodSeconds }: DeleteOptions): number {
  const { nodeName, terminationGracePeriodSeconds = 30 } = objectOf(pod['spec'])
  const { phase } = objectOf(pod['status'])
  if (!nodeName || phase === 'Succeeded' || phase === 'Failed') return 0
  const grace = gracePeriodSeconds ?? Number(terminationGracePeriodSeconds)
  return grace < 0 ? 1 : grace
}

/** The finalizers, including those of garbage collection for the chosen propagation. */
function finalizersFor(resource: Resource, { finalizers = [] }: ObjectMeta, { propagation }: DeleteOptions): string[] {
  const own: Record<string, string> = { Orphan: orphanFinalizer, Foreground: foregroundFinalizer }
  const collecting = Object.values(own)
  const others = finalizers.filter((finalizer) => !collecting.includes(finalizer))
  const { defaultPropagation } = behaviourOf(resource)
  if (defaultPropagation === 'None') return others
  const chosenBefore = finalizers.find((finalizer) => collecting.includes(finalizer))
  const chosen = propagation ? own[propagation] : (chosenBefore ?? own[defaultPropagation])
  return chosen === undefined ? others : [...others, chosen]
}

/** The state of a deleted namespace that waits until the namespace controller has emptied it. */
function namespaceMarking(namespace: KubeObject, now: number): Marking {
  const { metadata, spec, status } = namespace
  if (metadata.deletionTimestamp) {
    const waiting = [...listOf(objectOf(spec)['finalizers']), ...(metadata.finalizers ?? [])]
    return waiting.length > 0 ? 'unchanged' : 'delete'
  }
  const { deletionGracePeriodSeconds: _, ...marked } = deletionStarted(metadata, now, 0)
  return { metadata: marked as ObjectMeta, status: { ...objectOf(status), phase: 'Terminating' } }
}

/** The state of a deleted definition that waits until its controller has deleted its objects. */
function definitionMarking({ metadata, ...definition }: KubeObject, now: number): Marking {
  const { finalizers = [], deletionTimestamp } = metadata
  if (deletionTimestamp) return finalizers.length > 0 ? 'unchanged' : 'delete'
  const status = objectOf(definition['status'])
  const terminating = {
    lastTransitionTime: timestamp(now),
    message: 'CustomResource deletion is pending',
    reason: 'InstanceDeletionPending',
    status: 'True',
    type: 'Terminating',
  }
  return {
    metadata: { ...deletionStarted(metadata, now, 0), finalizers: [...new Set([...finalizers, cleanupFinalizer])] },
    status: { ...status, conditions: [...listOf(status['conditions']), terminating] },
  }
}
