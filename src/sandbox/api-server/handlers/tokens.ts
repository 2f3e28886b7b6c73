import type { BoundObject } from '../auth/token-issuer.ts'
import { type ResourceCall, timestamp } from '../context.ts'
import { invalidValue } from '../field-issue.ts'
import type { KubeObject } from '../kube-object.ts'
import { type ApiResponse, json } from '../request.ts'
import { type JsonObject, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { badRequest, conflict, invalid, notFound } from '../status.ts'
import { decodeObject } from './decode-body.ts'
import { writeOptions } from './options.ts'
import { readStored } from './pod-subresources.ts'
import { userObject } from './user-object.ts'

/** Handles POST of `serviceaccounts/token`. */
export function handleTokenRequest(call: ResourceCall): ApiResponse {
  const request = decodeObject(call, writeOptions(call.query, 'Create'))
  const account = readStored(call)
  const spec = objectOf(request['spec'])
  const seconds = spec['expirationSeconds'] === undefined ? 3600 : numberOf(spec['expirationSeconds'])
  if (seconds < 600)
    throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
      invalidValue('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes'),
    ])
  const { tokens, clock, uuid } = call.context
  const given = listOf(spec['audiences']).map(textOf)
  const audiences = given.length > 0 ? given : [...tokens.audiences]
  const bound = boundObject(call, objectOf(spec['boundObjectRef']), account)
  const token = tokens.issue({ account, audiences, lifetime: seconds, bound, id: uuid() })
  const { name, namespace = '', uid = '' } = account.metadata
  const now = clock.now()
  return json(201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, uid, creationTimestamp: timestamp(now) },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef: spec['boundObjectRef'] ?? null },
    status: { token, expirationTimestamp: timestamp(now + seconds * 1000) },
  })
}

const storages: Record<string, string> = { Pod: '/pods', Node: '/nodes' }

function boundObject(call: ResourceCall, reference: JsonObject, account: KubeObject): BoundObject | undefined {
  if (Object.keys(reference).length === 0) return undefined
  const { store } = call.context
  const [kind, name] = [textOf(reference['kind']), textOf(reference['name'])]
  const storage = storages[kind]
  if (!storage) throw badRequest(`cannot bind token to object of type ${textOf(reference['apiVersion'])}, Kind=${kind}`)
  const found = store.get(storage, kind === 'Node' ? '' : call.info.namespace, name)
  if (!found) throw notFound({ group: '', resource: storage.slice(1) }, name)
  const { uid = '' } = found.metadata
  if (reference['uid'] && reference['uid'] !== uid)
    throw conflict(
      { group: '', resource: kind },
      name,
      'the UID in the bound object reference belongs to another object',
    )
  const { serviceAccountName, nodeName } = objectOf(found['spec'])
  if (kind === 'Pod' && serviceAccountName !== account.metadata.name)
    throw badRequest(`cannot bind token to pod ${name}, which runs with another service account`)
  const node = nodeName ? store.get('/nodes', '', textOf(nodeName)) : undefined
  return {
    ...{ kind: kind as BoundObject['kind'], name, uid },
    node: node && { name: node.metadata.name, uid: node.metadata.uid ?? '' },
  }
}

/** Handles POST of `tokenreviews`, whose objects are not stored. */
export function handleTokenReview(call: ResourceCall): ApiResponse {
  const review = decodeObject(call, writeOptions(call.query, 'Create'))
  const { token, audiences } = objectOf(review['spec'])
  const wanted = listOf(audiences).map(textOf)
  const verified = call.context.tokens.verify(textOf(token), wanted.length > 0 ? wanted : undefined)
  const status = verified
    ? { authenticated: true, user: userObject(verified.user), audiences: [...verified.audiences] }
    : { user: {}, error: 'invalid bearer token, token lookup failed' }
  return json(201, { ...review, status })
}
