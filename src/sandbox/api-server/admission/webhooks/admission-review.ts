import type { KubeObject } from '../../kube-object.ts'
import type { Resource } from '../../registry/resource.ts'
import { fromStorage, toStorage } from '../../registry/version-conversion.ts'
import { isObject, type JsonObject, listOf, objectOf, textOf } from '../../schema/json.ts'
import type { AdmissionRequest } from '../admission-request.ts'

/** What an AdmissionReview answered, checked. */
export interface ReviewResponse {
  readonly allowed: boolean
  readonly result: JsonObject | undefined
  /** A JSON patch. */
  readonly patch: JsonObject[] | undefined
  readonly warnings: readonly string[]
}

/** The AdmissionReview that asks about a write, in the version of `seen`. */
export function reviewOf(request: AdmissionRequest, seen: Resource, uid: string): JsonObject {
  const [group, version] = splitVersion(request.objectType.apiVersion)
  const own = request.objectType.kind === request.resource.kind
  const kind = own
    ? { group: seen.group, version: seen.version, kind: seen.kind }
    : { group, version, kind: request.objectType.kind }
  const { resource } = request
  const requested = { group: resource.group, version: resource.version, resource: resource.plural }
  const requestKind = own ? { group: resource.group, version: resource.version, kind: resource.kind } : kind
  const subresource = request.subresource === '' ? {} : { subResource: request.subresource }
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid,
      kind,
      resource: { group: seen.group, version: seen.version, resource: seen.plural },
      ...subresource,
      requestKind,
      requestResource: requested,
      ...(request.subresource === '' ? {} : { requestSubResource: request.subresource }),
      ...(request.name === '' || request.name === undefined ? {} : { name: request.name }),
      ...(request.namespace === '' ? {} : { namespace: request.namespace }),
      operation: request.operation,
      userInfo: userInfo(request),
      object: request.object ? seenAs(request.object, request.resource, seen) : null,
      oldObject: request.oldObject ? seenAs(request.oldObject, request.resource, seen) : null,
      dryRun: request.dryRun,
      options: request.options,
    },
  }
}

/** An object in another version of its resource. */
export const seenAs = (object: KubeObject, from: Resource, to: Resource): KubeObject =>
  from === to ? object : fromStorage(to, toStorage(from, object))

function userInfo({ user }: AdmissionRequest): JsonObject {
  const { name, uid, groups, extra } = user
  return {
    username: name,
    ...(uid === undefined || uid === '' ? {} : { uid }),
    groups: [...groups],
    ...(extra && Object.keys(extra).length > 0
      ? { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }
      : {}),
  }
}

function splitVersion(apiVersion: string): [string, string] {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)]
}

/** A response that is none. Its message ends `received invalid webhook response: `. */
export class InvalidReviewError extends Error {
  override readonly name = 'InvalidReviewError'
}

/** @throws {InvalidReviewError} */
export function readReview(body: string, uid: string, mutating: boolean): ReviewResponse {
  const review = parse(body)
  const { apiVersion, kind, response } = review
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview')
    throw new InvalidReviewError(
      `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${textOf(apiVersion)}, Kind=${textOf(kind)}`,
    )
  if (!isObject(response)) throw new InvalidReviewError('webhook response was absent')
  if (response['uid'] !== uid)
    throw new InvalidReviewError(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(textOf(response['uid']))}`,
    )
  return {
    allowed: response['allowed'] === true,
    result: isObject(response['status']) ? response['status'] : undefined,
    patch: patchOf(response, mutating),
    warnings: listOf(response['warnings']).map(textOf),
  }
}

function patchOf({ patch, patchType }: JsonObject, mutating: boolean): JsonObject[] | undefined {
  const text = textOf(patch)
  const type = textOf(patchType)
  if (!mutating) {
    if (text !== '') throw new InvalidReviewError('validating webhook may not return response.patch')
    if (type !== '') throw new InvalidReviewError('validating webhook may not return response.patchType')
    return undefined
  }
  if (text === '' && type === '') return undefined
  if (type === '') throw new InvalidReviewError('webhook returned response.patch but not response.patchType')
  if (text === '') throw new InvalidReviewError('webhook returned response.patchType but not response.patch')
  if (type !== 'JSONPatch')
    throw new InvalidReviewError(`webhook returned invalid response.patchType of ${JSON.stringify(type)}`)
  const value: unknown = JSON.parse(Buffer.from(text, 'base64').toString())
  return listOf(value).map(objectOf)
}

function parse(body: string): JsonObject {
  try {
    const value: unknown = JSON.parse(body)
    if (isObject(value)) return value
  } catch {
    // Said below, in the same words as for a body that is JSON but no object.
  }
  throw new InvalidReviewError('unexpected response type')
}
