import { groupResource, namespaceOf, type ResourceCall, timestamp } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { fromStorage, toStorage } from '../registry/version-conversion.ts'
import { clone } from '../schema/json.ts'
import { ApiStatusError, alreadyExists, badRequest, generateNameConflict } from '../status.ts'
import { admissionFor } from './admission-for.ts'
import { withDefaults } from './default-object.ts'
import { generatedName } from './generate-name.ts'
import type { WriteOptions } from './options.ts'
import { prepareForCreate, withoutSystemFields } from './prepare-object.ts'
import { afterWrite, beforeWrite } from './run-hooks.ts'
import { withManagedFields } from './track-managed-fields.ts'
import { checkValid, warnOfFinalizers } from './validate-object.ts'

/** How often another random name is tried when one is taken. */
const nameAttempts = 8

/**
 * Creates an object: defaults, mutating admission, what the server sets, validation, validating admission, storage.
 * @throws {ApiStatusError}
 */
export async function createObject(call: ResourceCall, sent: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const wanted = withDefaults(call.resource, placed(call, withoutSystemFields(sent)))
  // Before admission: what a webhook adds belongs to nobody.
  const draft = withManagedFields(call, undefined, wanted, options)
  const admitted = await call.context.admission.mutate(
    admissionFor(call, 'CREATE', { name: draft.metadata.name, object: draft, options }),
  )
  return storeNew(call, admitted, options)
}

/** The same from after mutating admission on: a PUT or an apply of a name that is not there comes in here. */
export async function storeNew(call: ResourceCall, admitted: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const { generateName, name } = admitted.metadata
  if (name || !generateName) return storeNamed(call, admitted, options)
  for (let attempt = 1; ; attempt++) {
    const named = { ...admitted.metadata, name: generatedName(generateName, call.context.random) }
    try {
      return await storeNamed(call, { ...admitted, metadata: named }, options)
    } catch (error) {
      if (!(error instanceof ApiStatusError) || error.status.reason !== 'AlreadyExists') throw error
      if (attempt === nameAttempts) throw generateNameConflict(groupResource(call.resource), named.name, 1)
    }
  }
}

async function storeNamed(call: ResourceCall, admitted: KubeObject, options: WriteOptions): Promise<KubeObject> {
  const { context, resource } = call
  const draft = clone(admitted)
  prepareForCreate(resource, draft, context.uuid(), timestamp(context.clock.now()))
  const release = beforeWrite(call, draft, undefined)
  try {
    checkValid(resource, draft, undefined, '')
    warnOfFinalizers(call, draft, undefined)
    await context.admission.validate(
      admissionFor(call, 'CREATE', { name: draft.metadata.name, object: draft, options }),
    )
    return commit(call, draft, options)
  } catch (error) {
    release()
    throw error
  }
}

function commit(call: ResourceCall, object: KubeObject, options: WriteOptions): KubeObject {
  const { context, resource } = call
  if (context.store.get(resource.storage, namespaceOf(call), object.metadata.name))
    throw alreadyExists(groupResource(resource), object.metadata.name)
  if (object.metadata.resourceVersion && object.metadata.resourceVersion !== '0') throw versionOnCreate()
  delete object.metadata.resourceVersion
  if (options.dryRun) return object
  const stored = context.store.create(resource.storage, toStorage(resource, object))
  afterWrite(call, stored)
  return fromStorage(resource, stored)
}

/** In the namespace of the request. */
function placed(call: ResourceCall, object: KubeObject): KubeObject {
  const expected = namespaceOf(call)
  const { namespace = '', ...metadata } = object.metadata
  if (expected === '' && namespace !== '' && call.resource.namespaced === false) return { ...object, metadata }
  if (namespace !== '' && namespace !== expected) throw namespaceMismatch()
  return { ...object, metadata: expected === '' ? metadata : { ...metadata, namespace: expected } } as KubeObject
}

export const namespaceMismatch = (): ApiStatusError =>
  badRequest('the namespace of the provided object does not match the namespace sent on the request')

/** A plain error of the storage, which the API server answers without a reason. */
const versionOnCreate = (): ApiStatusError =>
  new ApiStatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'resourceVersion should not be set on objects to be created',
    code: 500,
  })
