import { groupResource, namespaceOf, type ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { behaviourOf } from '../registry/behaviour.ts'
import { qualifiedName } from '../registry/resource.ts'
import { fromStorage, toStorage } from '../registry/version-conversion.ts'
import { clone, objectOf } from '../schema/json.ts'
import { conflict, invalid, notFound, STALE_OBJECT } from '../status.ts'
import { StaleWriteError } from '../store/store.ts'
import { admissionFor } from './admission-for.ts'
import { storeNew } from './create-object.ts'
import type { WriteOptions } from './options.ts'
import { prepareForStatusUpdate, prepareForUpdate, sameContent } from './prepare-object.ts'
import { afterWrite, beforeWrite } from './run-hooks.ts'
import { preparePodPart } from './subresources/pod-spec-part.ts'
import { withManagedFields } from './track-managed-fields.ts'
import { checkValid, warnOfFinalizers } from './validate-object.ts'

export interface Update {
  readonly name: string
  /** A new object where there is none: always for apply, for some resources also for PUT. */
  readonly createMissing: boolean
  /** The object as the user wants it, from what is there, defaulted. Called again when someone else was faster. */
  produce(current: KubeObject | undefined): KubeObject | Promise<KubeObject>
  /** An apply has kept the books on managed fields itself. */
  readonly tracksFields?: boolean
  /** What admission sees, where the endpoint writes an object that stands for another, as a Scale does. */
  seenByAdmission?(object: KubeObject): KubeObject
  /** Brings a draft in line with what its endpoint may change. */
  prepare?(draft: KubeObject, old: KubeObject): void
}

/** The result of an update, and whether it made the object. */
export interface Updated {
  readonly object: KubeObject
  readonly created: boolean
}

const podParts = new Set(['ephemeralcontainers', 'resize'])

/** More than any honest contention; then the writer hears of the conflict. */
const longestContention = 100

/**
 * Updates an object as Kubernetes' GuaranteedUpdate does: from what is there now, again if that has changed meanwhile.
 * @throws {ApiStatusError}
 */
export async function updateObject(call: ResourceCall, update: Update, options: WriteOptions): Promise<Updated> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryUpdate(call, update, options)
    } catch (error) {
      if (!(error instanceof StaleWriteError)) throw error
      if (attempt === longestContention) throw conflict(groupResource(call.resource), update.name, STALE_OBJECT)
    }
  }
}

async function tryUpdate(call: ResourceCall, update: Update, options: WriteOptions): Promise<Updated> {
  const { context, resource } = call
  const stored = context.store.get(resource.storage, namespaceOf(call), update.name)
  if (!stored && !update.createMissing) throw notFound(groupResource(resource), update.name)
  const current = stored && fromStorage(resource, stored)
  const produced = await update.produce(current)
  const seen = update.seenByAdmission
  // Before admission: what a webhook changes belongs to nobody.
  const tracked = update.tracksFields || seen
  const wanted = tracked ? produced : withManagedFields(call, current, produced, options)
  const operation = current ? 'UPDATE' : 'CREATE'
  const admitted = seen
    ? wanted
    : await context.admission.mutate(
        admissionFor(call, operation, { name: update.name, object: wanted, oldObject: current, options }),
      )
  if (!stored || !current) return { object: await storeNew(call, admitted, options), created: true }
  checkPreconditions(call, admitted, current)
  const draft = clone(admitted)
  draft.metadata.resourceVersion = current.metadata.resourceVersion!
  prepare(call, update, draft, current)
  const release = beforeWrite(call, draft, current)
  try {
    checkValid(resource, draft, current, call.subresource?.name ?? '')
    warnOfFinalizers(call, draft, current)
    const asked = {
      name: update.name,
      object: seen ? seen(draft) : draft,
      oldObject: seen ? seen(current) : current,
      options,
    }
    await context.admission.validate(admissionFor(call, 'UPDATE', asked))
    const owned = seen ? withManagedFields(call, current, draft, options) : draft
    return { object: commit(call, stored, current, owned, options), created: false }
  } catch (error) {
    release()
    throw error
  }
}

function prepare(call: ResourceCall, update: Update, draft: KubeObject, current: KubeObject): void {
  if (update.prepare) update.prepare(draft, current)
  else if (podParts.has(call.subresource?.name ?? '')) preparePodPart(call, draft, current)
  else if (call.subresource?.name === 'status') prepareForStatusUpdate(call.resource, draft, current)
  else prepareForUpdate(call.resource, draft, current)
}

function checkPreconditions({ resource }: ResourceCall, wanted: KubeObject, current: KubeObject): void {
  const { uid, resourceVersion = '' } = wanted.metadata
  const { name } = current.metadata
  if (uid && uid !== current.metadata.uid)
    throw conflict(
      groupResource(resource),
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    )
  if (resourceVersion === '' || resourceVersion === '0') {
    if (behaviourOf(resource).unconditionalUpdate) return
    // The server says the resource where a kind would stand.
    throw invalid({ group: resource.group, kind: resource.plural }, name, [
      {
        type: 'FieldValueInvalid',
        field: 'metadata.resourceVersion',
        value: 0,
        detail: 'must be specified for an update',
      },
    ])
  }
  if (resourceVersion !== current.metadata.resourceVersion) throw conflict(groupResource(resource), name, STALE_OBJECT)
}

function commit(
  call: ResourceCall,
  stored: KubeObject,
  current: KubeObject,
  draft: KubeObject,
  options: WriteOptions,
): KubeObject {
  const { context, resource } = call
  const next = { ...draft, metadata: { ...draft.metadata, resourceVersion: stored.metadata.resourceVersion! } }
  if (context.store.get(resource.storage, namespaceOf(call), stored.metadata.name) !== stored)
    throw new StaleWriteError(qualifiedName(resource))
  if (isFinished(resource.storage, next, stored)) {
    if (options.dryRun) return next
    const gone = context.store.delete(resource.storage, stored, toStorage(resource, next))
    afterWrite(call, gone)
    return fromStorage(resource, gone)
  }
  if (sameContent(next, current)) return current
  if (options.dryRun) return next
  const written = context.store.update(resource.storage, stored, toStorage(resource, next))
  afterWrite(call, written)
  return fromStorage(resource, written)
}

/** An object that waits for nothing but its finalizers goes with the last of them. */
function isFinished(storage: string, next: KubeObject, old: KubeObject): boolean {
  if ((next.metadata.finalizers ?? []).length > 0 || !old.metadata.deletionTimestamp) return false
  if ((old.metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false
  const finalizers = objectOf(next['spec'])['finalizers']
  return storage !== '/namespaces' || !Array.isArray(finalizers) || finalizers.length === 0
}
