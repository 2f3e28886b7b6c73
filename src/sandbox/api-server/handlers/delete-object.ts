import { groupResource, namespaceOf, type ResourceCall, timestamp } from '../context.ts'
import type { KubeObject, ObjectMeta } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import { listOf, objectOf } from '../schema/json.ts'
import { conflict, notFound } from '../status.ts'
import { StaleWriteError } from '../store/store.ts'
import { admissionFor } from './admission-for.ts'
import type { DeleteOptions } from './options.ts'
import { afterWrite } from './run-hooks.ts'

export const orphanFinalizer = 'orphan'
export const foregroundFinalizer = 'foregroundDeletion'

export interface Deleted {
  /** Its last state, or the state in which it waits to be deleted. */
  readonly object: KubeObject
  readonly gone: boolean
}

/**
 * Deletes an object, or marks it when something has to happen first: a grace period, finalizers, dependents.
 * @throws {ApiStatusError}
 */
export async function deleteObject(call: ResourceCall, name: string, options: DeleteOptions): Promise<Deleted> {
  for (;;) {
    try {
      return await tryDelete(call, name, options)
    } catch (error) {
      // Someone wrote it meanwhile: look again, which ends at the latest when the object is gone or marked.
      if (!(error instanceof StaleWriteError)) throw error
    }
  }
}

async function tryDelete(call: ResourceCall, name: string, options: DeleteOptions): Promise<Deleted> {
  const { context, resource } = call
  const namespace = namespaceOf(call)
  const stored = context.store.get(resource.storage, namespace, name)
  if (!stored) throw notFound(groupResource(resource), name)
  checkPreconditions(call, stored, options)
  const oldObject = fromStorage(resource, stored)
  const asked = admissionFor(call, 'DELETE', { name, oldObject, options })
  await context.admission.mutate(asked)
  await context.admission.validate(asked)
  const marked = marking(call, stored, options)
  const present = (object: KubeObject, gone: boolean): Deleted => ({ object: fromStorage(resource, object), gone })
  if (marked === 'unchanged') return present(stored, false)
  if (options.dryRun) return present(marked === 'delete' ? stored : { ...stored, ...marked }, marked === 'delete')
  if (marked !== 'delete')
    return present(context.store.update(resource.storage, stored, { ...stored, ...marked }), false)
  const gone = context.store.delete(resource.storage, stored)
  afterWrite(call, gone)
  return present(gone, true)
}

function checkPreconditions({ resource }: ResourceCall, { metadata }: KubeObject, options: DeleteOptions): void {
  // Here the server says the kind where a resource would stand.
  const about = { group: resource.group, resource: resource.kind }
  if (options.uid !== undefined && options.uid !== metadata.uid)
    throw conflict(
      about,
      metadata.name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    )
  if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion)
    throw conflict(
      about,
      metadata.name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    )
}

type Marking = 'delete' | 'unchanged' | Partial<KubeObject>

function marking(call: ResourceCall, stored: KubeObject, options: DeleteOptions): Marking {
  const { resource, context } = call
  const now = context.clock.now()
  if (resource.storage === '/namespaces') return namespaceMarking(stored, options, now, call)
  if (resource.storage === definitions) return definitionMarking(stored, now)
  const grace = resource.storage === '/pods' ? podGrace(stored, options) : 0
  const finalizers = finalizersFor(call, stored, options)
  const { metadata } = stored
  const current = metadata.deletionGracePeriodSeconds ?? 0
  if (metadata.deletionTimestamp && current > 0) {
    if (options.gracePeriodSeconds === undefined || options.gracePeriodSeconds >= current) return 'unchanged'
    if (options.gracePeriodSeconds === 0 && finalizers.length === 0) return 'delete'
    return { metadata: { ...shortened(metadata, options.gracePeriodSeconds, now), ...finalizerField(finalizers) } }
  }
  if (grace > 0 && !metadata.deletionTimestamp)
    return { metadata: { ...deletionStarted(metadata, now, grace), ...finalizerField(finalizers) } }
  if (finalizers.length === 0) return 'delete'
  if (metadata.deletionTimestamp && sameList(finalizers, metadata.finalizers ?? [])) return 'unchanged'
  return { metadata: { ...deletionStarted(metadata, now, 0), ...finalizerField(finalizers) } }
}

const finalizerField = (finalizers: string[]): Partial<ObjectMeta> => (finalizers.length > 0 ? { finalizers } : {})

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item) => b.includes(item))

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
    // A pod that should be gone by now still gets its second: its kubelet has to hear of it.
    deletionGracePeriodSeconds: due < now && grace !== 0 ? 1 : grace,
  }
}

/** Seconds that a pod is given: none before it has a node or once it has ended. */
function podGrace(pod: KubeObject, options: DeleteOptions): number {
  const spec = objectOf(pod['spec'])
  const { phase } = objectOf(pod['status'])
  if (!spec['nodeName'] || phase === 'Succeeded' || phase === 'Failed') return 0
  const own = spec['terminationGracePeriodSeconds']
  const grace = options.gracePeriodSeconds ?? (typeof own === 'number' ? own : 30)
  return grace < 0 ? 1 : grace
}

/** The finalizers with those of garbage collection as the propagation wants them. */
function finalizersFor({ resource }: ResourceCall, { metadata }: KubeObject, options: DeleteOptions): string[] {
  const before = metadata.finalizers ?? []
  const { defaultPropagation } = behaviourOf(resource)
  const others = before.filter((finalizer) => finalizer !== orphanFinalizer && finalizer !== foregroundFinalizer)
  if (defaultPropagation === 'None') return others
  const propagation = options.propagation ?? chosenBefore(before) ?? defaultPropagation
  if (propagation === 'Orphan') return [...others, orphanFinalizer]
  return propagation === 'Foreground' ? [...others, foregroundFinalizer] : others
}

function chosenBefore(finalizers: readonly string[]): DeleteOptions['propagation'] {
  if (finalizers.includes(orphanFinalizer)) return 'Orphan'
  return finalizers.includes(foregroundFinalizer) ? 'Foreground' : undefined
}

/** A namespace waits until its content is gone, which the namespace controller sees to. */
function namespaceMarking(namespace: KubeObject, options: DeleteOptions, now: number, call: ResourceCall): Marking {
  const finalizers = finalizersFor(call, namespace, options)
  if (namespace.metadata.deletionTimestamp) {
    const waiting = listOf(objectOf(namespace['spec'])['finalizers']).length > 0 || finalizers.length > 0
    return waiting ? 'unchanged' : 'delete'
  }
  const { deletionGracePeriodSeconds: _, ...metadata } = deletionStarted(namespace.metadata, now, 0)
  return {
    metadata: { ...metadata, ...finalizerField(finalizers) } as ObjectMeta,
    status: { ...objectOf(namespace['status']), phase: 'Terminating' },
  }
}

const definitions = 'apiextensions.k8s.io/customresourcedefinitions'
const cleanup = 'customresourcecleanup.apiextensions.k8s.io'

/** A definition waits until its objects are gone, which its controller sees to. */
function definitionMarking(definition: KubeObject, now: number): Marking {
  const { metadata } = definition
  if (metadata.deletionTimestamp) return (metadata.finalizers ?? []).length > 0 ? 'unchanged' : 'delete'
  const finalizers = [...(metadata.finalizers ?? []).filter((one) => one !== cleanup), cleanup]
  const status = objectOf(definition['status'])
  const terminating = {
    lastTransitionTime: timestamp(now),
    message: 'CustomResource deletion is pending',
    reason: 'InstanceDeletionPending',
    status: 'True',
    type: 'Terminating',
  }
  return {
    metadata: { ...deletionStarted(metadata, now, 0), finalizers },
    status: { ...status, conditions: [...listOf(status['conditions']), terminating] },
  }
}
