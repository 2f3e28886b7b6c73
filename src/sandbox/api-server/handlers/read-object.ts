import { groupResource, namespaceOf, type ResourceCall } from '../context.ts'
import type { KubeObject } from '../kube-object.ts'
import { fromStorage } from '../registry/version-conversion.ts'
import { notFound } from '../status.ts'
import { checkNotAhead, parseRevision } from './list-objects.ts'

/** @throws {ApiStatusError} 404 */
export function readStored(call: ResourceCall, name = call.info.name): KubeObject {
  const { context, resource } = call
  const stored = context.store.get(resource.storage, namespaceOf(call), name)
  if (!stored) throw notFound(groupResource(resource), name)
  return stored
}

/** The object that a GET asks for, in the version of its path. A `resourceVersion` says how new it has to be at least. */
export function readObject(call: ResourceCall): KubeObject {
  const version = call.query.get('resourceVersion') ?? ''
  if (version !== '' && version !== '0') checkNotAhead(call, parseRevision(version))
  return fromStorage(call.resource, readStored(call))
}
