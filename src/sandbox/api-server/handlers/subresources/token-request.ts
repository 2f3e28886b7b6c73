import type { BoundObject } from '../../auth/token-issuer.ts'
import { type ResourceCall, timestamp } from '../../context.ts'
import type { KubeObject } from '../../kube-object.ts'
import { type ApiResponse, json } from '../../request.ts'
import { type JsonObject, listOf, numberOf, objectOf, textOf } from '../../schema/json.ts'
import { badRequest, conflict, invalid, notFound } from '../../status.ts'
import { decodeObject } from '../decode-body.ts'
import { writeOptions } from '../options.ts'
import { readStored } from '../read-object.ts'

const kind = { group: 'authentication.k8s.io', kind: 'TokenRequest' }
const shortest = 600
const longest = 2 ** 32
/** Seconds of a token that a pod mounts: it says that it ends after an hour, and is honoured for a year. */
const mountedLifetime = 3607
const extendedLifetime = 365 * 24 * 3600

/** POST of `serviceaccounts/token`. */
export function handleTokenRequest(call: ResourceCall): ApiResponse {
  const options = writeOptions(call.query, 'Create')
  const request = decodeObject(call, options)
  const account = readStored(call)
  const spec = objectOf(request['spec'])
  const seconds = lifetime(spec)
  const audiences = listOf(spec['audiences']).map(textOf)
  const wanted = audiences.length > 0 ? audiences : call.context.tokens.audiences
  const bound = boundObject(call, objectOf(spec['boundObjectRef']), account)
  const mounted = seconds === mountedLifetime && bound?.kind === 'Pod' && audiences.length === 0
  const now = call.context.clock.now()
  const token = call.context.tokens.issue({
    account,
    audiences: wanted,
    lifetime: mounted ? extendedLifetime : seconds,
    bound,
    id: call.context.uuid(),
  })
  const { name, namespace = '', uid = '' } = account.metadata
  return json(201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, uid, creationTimestamp: timestamp(now) },
    spec: {
      audiences: [...wanted],
      expirationSeconds: seconds,
      boundObjectRef: Object.keys(objectOf(spec['boundObjectRef'])).length > 0 ? spec['boundObjectRef'] : null,
    },
    status: { token, expirationTimestamp: timestamp(now + seconds * 1000) },
  })
}

function lifetime(spec: JsonObject): number {
  const seconds = spec['expirationSeconds'] === undefined ? 3600 : numberOf(spec['expirationSeconds'])
  const problem =
    seconds < shortest
      ? 'may not specify a duration less than 10 minutes'
      : seconds > longest
        ? 'may not specify a duration larger than 2^32 seconds'
        : undefined
  if (problem === undefined) return seconds
  throw invalid(kind, '', [
    { type: 'FieldValueInvalid', field: 'spec.expirationSeconds', value: seconds, detail: problem },
  ])
}

const storages: Record<string, string> = { Pod: '/pods', Node: '/nodes', Secret: '/secrets' }

function boundObject(call: ResourceCall, reference: JsonObject, account: KubeObject): BoundObject | undefined {
  if (Object.keys(reference).length === 0) return undefined
  const boundKind = textOf(reference['kind'])
  const storage = textOf(reference['apiVersion']) === 'v1' ? storages[boundKind] : undefined
  if (!storage)
    throw badRequest(`cannot bind token to object of type ${textOf(reference['apiVersion'])}, Kind=${boundKind}`)
  const namespace = boundKind === 'Node' ? '' : call.info.namespace
  const name = textOf(reference['name'])
  const found = call.context.store.get(storage, namespace, name)
  if (!found) throw notFound({ group: '', resource: storage.slice(1) }, name)
  const uid = found.metadata.uid ?? ''
  const pod = objectOf(found['spec'])
  if (boundKind === 'Pod' && textOf(pod['serviceAccountName']) !== account.metadata.name)
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`,
    )
  if (reference['uid'] !== undefined && reference['uid'] !== '' && reference['uid'] !== uid)
    throw conflict(
      { group: '', resource: boundKind },
      name,
      `the UID in the bound object reference (${textOf(reference['uid'])}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  return {
    kind: boundKind as BoundObject['kind'],
    name,
    uid,
    node: boundKind === 'Pod' ? nodeOf(call, pod) : undefined,
  }
}

function nodeOf(call: ResourceCall, podSpec: JsonObject): BoundObject['node'] {
  const name = textOf(podSpec['nodeName'])
  if (name === '') return undefined
  return { name, uid: call.context.store.get('/nodes', '', name)?.metadata.uid ?? '' }
}
