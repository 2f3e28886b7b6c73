import type { AdmissionRequest, Operation } from '../admission/admission-request.ts'
import { groupResource, namespaceOf, type ResourceCall, timestamp } from '../context.ts'
import { invalidValue } from '../field-issue.ts'
import type { KubeObject } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import { fromStorage, toStorage } from '../registry/version-conversion.ts'
import { clone, type JsonObject, listOf, objectOf } from '../schema/json.ts'
import {
  ApiStatusError,
  alreadyExists,
  badRequest,
  conflict,
  internalFailure,
  invalid,
  notFound,
  STALE_OBJECT,
} from '../status.ts'
import { StaleWriteError } from '../store/store.ts'
import { expectedType } from './decode-body.ts'
import type { WriteOptions } from './options.ts'
import {
  checkValid,
  prepareForCreate,
  prepareForStatusUpdate,
  prepareForUpdate,
  sameContent,
  withDefaults,
  withoutSystemFields,
} from './prepare-object.ts'
import { randomSuffix } from './random-suffix.ts'
import { withManagedFields } from './track-managed-fields.ts'

type Written = Pick<AdmissionRequest, 'name'> & Partial<Pick<AdmissionRequest, 'object' | 'oldObject'>>

/** The admission request for one write of a call. */
export function admissionFor(
  call: ResourceCall,
  operation: Operation,
  { name, object, oldObject }: Written,
  { object: options, dryRun }: { object: JsonObject; dryRun: boolean },
): AdmissionRequest {
  const { resource, subresource, user, warnings } = call
  return {
    ...{ operation, resource, name, object, oldObject, options, dryRun, user, warnings },
    subresource: subresource?.name ?? '',
    objectType: expectedType(call),
    namespace: resource.storage === '/namespaces' ? name : namespaceOf(call),
  }
}

/** Maximum random names that are tried if a name is taken. */
const nameAttempts = 8

/**
 * Creates an object. The steps are defaults, mutating admission, server fields, validation, validating admission,
 * storage.
 * @throws {ApiStatusError}
 */
export async function createObject(call: ResourceCall, sent: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const wanted = withDefaults(call.resource, placed(call, withoutSystemFields(sent)))
  // Track managed fields before admission, because additions of a webhook have no owner.
  const draft = withManagedFields(call, undefined, wanted, options)
  const asked = admissionFor(call, 'CREATE', { name: draft.metadata.name, object: draft }, options)
  return storeNew(call, await call.context.admission.mutate(asked), options)
}

/** Creates an object after mutating admission. A PUT or apply of a missing name starts here. */
async function storeNew(call: ResourceCall, admitted: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const { generateName, name } = admitted.metadata
  if (name || !generateName) return storeNamed(call, admitted, options)
  for (let attempt = 1; ; attempt++) {
    const made = generateName.slice(0, 58) + randomSuffix(call.context.random)
    try {
      return await storeNamed(call, { ...admitted, metadata: { ...admitted.metadata, name: made } }, options)
    } catch (error) {
      const isTaken = error instanceof ApiStatusError && error.status.reason === 'AlreadyExists'
      if (!isTaken || attempt === nameAttempts) throw error
    }
  }
}

async function storeNamed(call: ResourceCall, admitted: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const { context, resource } = call
  const draft = clone(admitted)
  const { name } = draft.metadata
  prepareForCreate(call, draft, timestamp(context.clock.now()))
  checkValid(call, draft)
  await context.admission.validate(admissionFor(call, 'CREATE', { name, object: draft }, options))
  if (context.store.get(resource.storage, namespaceOf(call), name)) throw alreadyExists(groupResource(resource), name)
  if (Number(draft.metadata.resourceVersion ?? 0) !== 0)
    throw internalFailure('resourceVersion should not be set on objects to be created')
  delete draft.metadata.resourceVersion
  if (options.dryRun) return draft
  return fromStorage(resource, context.store.create(resource.storage, toStorage(resource, draft)))
}

/** The object with the namespace of the request. */
function placed(call: ResourceCall, object: KubeObject): KubeObject {
  const expected = namespaceOf(call)
  const { namespace = '', ...metadata } = object.metadata
  if (call.resource.namespaced) checkNamespace(namespace, expected)
  return { ...object, metadata: expected === '' ? metadata : { ...metadata, namespace: expected } } as KubeObject
}

function checkNamespace(given: string, expected: string): void {
  if (given !== '' && given !== expected)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
}

/** @throws {ApiStatusError} 400 if a body names another object than the path */
export function checkIdentity({ info, resource }: ResourceCall, { name = '', namespace = '' }: JsonObject): void {
  if (name === '') throw badRequest('name must be provided')
  if (name !== info.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`)
  checkNamespace(String(namespace), resource.namespaced ? info.namespace : '')
}

export interface Update {
  readonly name: string
  /** Whether to create a missing object. Apply always does; PUT does for some resources. */
  readonly createMissing?: boolean
  /** Derives the wanted object, with defaults, from the current object. Called again after another client's write. */
  produce(current: KubeObject | undefined): KubeObject
  /** Whether the update sets the managed fields itself, as an apply does. */
  readonly tracksFields?: boolean
  /** Whether to write the result of `produce` unchanged, because a binding sets fields that users cannot set. */
  readonly isWhole?: boolean
}

/** The update of a PUT. */
export function replacing(call: ResourceCall, sent: KubeObject): Update {
  const { info, resource, subresource } = call
  checkIdentity(call, sent.metadata)
  const metadata = resource.namespaced ? { ...sent.metadata, namespace: info.namespace } : sent.metadata
  return {
    name: info.name,
    createMissing: behaviourOf(resource).createOnUpdate && !subresource,
    produce: () => withDefaults(resource, { ...sent, metadata }),
  }
}

/** The result of an update, and whether it created the object. */
export interface Updated {
  readonly object: KubeObject
  readonly created: boolean
}

/** Maximum attempts, more than real contention needs. After these attempts, the writer gets the conflict. */
const maxContention = 100

/**
 * Updates an object like Kubernetes' GuaranteedUpdate: derives the new state from the current state, and repeats this
 * if another client writes meanwhile.
 * @throws {ApiStatusError}
 */
export async function updateObject(call: ResourceCall, update: Update, options: WriteOptions): Promise<Updated> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryUpdate(call, update, options)
    } catch (error) {
      if (!(error instanceof StaleWriteError)) throw error
      if (attempt === maxContention) throw conflict(groupResource(call.resource), update.name, STALE_OBJECT)
    }
  }
}

async function tryUpdate(call: ResourceCall, update: Update, options: WriteOptions): Promise<Updated> {
  const { context, resource, subresource } = call
  const { name } = update
  const stored = context.store.get(resource.storage, namespaceOf(call), name)
  if (!stored && !update.createMissing) throw notFound(groupResource(resource), name)
  const oldObject = stored && fromStorage(resource, stored)
  const produced = update.produce(oldObject)
  // Track managed fields before admission, because changes of a webhook have no owner.
  const object = update.tracksFields ? produced : withManagedFields(call, oldObject, produced, options)
  const operation = oldObject ? 'UPDATE' : 'CREATE'
  const asked = admissionFor(call, operation, { name, object, oldObject }, options)
  const admitted = await context.admission.mutate(asked)
  if (!stored || !oldObject) return { object: await storeNew(call, admitted, options), created: true }
  checkPreconditions(call, admitted, oldObject)
  const draft = clone(admitted)
  draft.metadata.resourceVersion = stored.metadata.resourceVersion!
  const prepare = subresource?.name === 'status' ? prepareForStatusUpdate : prepareForUpdate
  if (!update.isWhole) prepare(call, draft, oldObject)
  checkValid(call, draft, oldObject)
  await context.admission.validate(admissionFor(call, 'UPDATE', { name, object: draft, oldObject }, options))
  return { object: commit(call, stored, oldObject, draft, options), created: false }
}

function checkPreconditions({ resource }: ResourceCall, wanted: KubeObject, current: KubeObject): void {
  const { uid, resourceVersion = '' } = wanted.metadata
  const { name } = current.metadata
  if (uid && uid !== current.metadata.uid) {
    const problem = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`
    throw conflict(groupResource(resource), name, problem)
  }
  if (Number(resourceVersion) !== 0) {
    if (resourceVersion === current.metadata.resourceVersion) return
    throw conflict(groupResource(resource), name, STALE_OBJECT)
  }
  if (behaviourOf(resource).unconditionalUpdate) return
  const detail = 'must be specified for an update'
  // Like the real server, this text names the resource and not the kind.
  throw invalid({ group: resource.group, kind: resource.plural }, name, [
    invalidValue('metadata.resourceVersion', 0, detail),
  ])
}

function commit(
  call: ResourceCall,
  stored: KubeObject,
  current: KubeObject,
  next: KubeObject,
  options: WriteOptions,
): KubeObject {
  const { context, resource } = call
  const { storage } = resource
  if (context.store.get(storage, namespaceOf(call), stored.metadata.name) !== stored)
    throw new StaleWriteError(`${storage} ${stored.metadata.name} has changed`)
  const isGone = isFinished(next, stored)
  if (!isGone && sameContent(next, current)) return current
  if (options.dryRun) return next
  return fromStorage(resource, context.store[isGone ? 'delete' : 'update'](storage, stored, toStorage(resource, next)))
}

/**
 * Whether an update completes a deletion: only finalizers have kept the object, and the update removes the last
 * finalizer.
 */
export function isFinished({ metadata, ...next }: KubeObject, old: KubeObject): boolean {
  if (!old.metadata.deletionTimestamp || (old.metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false
  return (metadata.finalizers ?? []).length === 0 && listOf(objectOf(next['spec'])['finalizers']).length === 0
}
