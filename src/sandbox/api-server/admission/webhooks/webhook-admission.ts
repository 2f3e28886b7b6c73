import { groupResource } from '../../context.ts'
import { knownFields } from '../../handlers/decode-body.ts'
import { withDefaults } from '../../handlers/default-object.ts'
import type { KubeObject } from '../../kube-object.ts'
import { applyJsonPatch } from '../../patch/json-patch.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Resource } from '../../registry/resource.ts'
import { type JsonObject, listOf, numberOf, objectOf, sameJson, textOf } from '../../schema/json.ts'
import { ApiStatusError, badRequest, forbidden, internalError, type Status } from '../../status.ts'
import type { Store } from '../../store/store.ts'
import type { AdmissionPlugin } from '../admission-chain.ts'
import type { AdmissionRequest } from '../admission-request.ts'
import { InvalidReviewError, type ReviewResponse, readReview, reviewOf, seenAs } from './admission-review.ts'
import { matchesConditions } from './match-conditions.ts'
import { isSelected, matchedResource } from './webhook-rules.ts'
import type { WebhookTransport } from './webhook-transport.ts'

const group = 'admissionregistration.k8s.io'
const defaultTimeout = 10

export interface WebhookPorts {
  readonly store: Store
  readonly registry: Registry
  readonly transport: WebhookTransport
  readonly uuid: () => string
}

/** Asks the webhooks that are configured: the mutating ones in turn, then the validating ones at once. */
export function webhookAdmission(ports: WebhookPorts): AdmissionPlugin {
  return {
    mutate: (request) => mutate(ports, request),
    validate: (request) => validate(ports, request),
  }
}

/** Webhooks cannot stand in the way of their own configuration, nor of questions about access. */
const exempt = new Set(['admissionregistration.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io'])

function* webhooksOf(
  { store }: WebhookPorts,
  kind: 'mutating' | 'validating',
  request: AdmissionRequest,
): Generator<JsonObject> {
  if (exempt.has(request.resource.group)) return
  for (const configuration of store.walk(`${group}/${kind}webhookconfigurations`))
    yield* listOf(configuration['webhooks']).map(objectOf)
}

async function mutate(ports: WebhookPorts, request: AdmissionRequest): Promise<KubeObject | undefined> {
  const webhooks = [...webhooksOf(ports, 'mutating', request)]
  if (webhooks.length === 0) return undefined
  let object = request.object
  const changedAfter = new Map<JsonObject, KubeObject | undefined>()
  for (const webhook of webhooks) {
    object = await mutateOne(ports, webhook, { ...request, object })
    changedAfter.set(webhook, object)
  }
  // Once more, those that asked for it and whose object others have changed since.
  for (const webhook of webhooks) {
    if (webhook['reinvocationPolicy'] !== 'IfNeeded' || sameJson(changedAfter.get(webhook), object)) continue
    object = await mutateOne(ports, webhook, { ...request, object })
  }
  return request.object ? object : undefined
}

async function mutateOne(
  ports: WebhookPorts,
  webhook: JsonObject,
  request: AdmissionRequest,
): Promise<KubeObject | undefined> {
  const seen = concerned(ports, webhook, request)
  const response = seen && (await ask(ports, webhook, request, seen, true))
  if (!response?.patch || response.patch.length === 0) return request.object
  if (!request.object)
    throw internalError(
      `admission webhook ${JSON.stringify(textOf(webhook['name']))} attempted to modify the object, which is not supported for this operation`,
    )
  return patched(request, seen!, response.patch)
}

function patched(request: AdmissionRequest, seen: Resource, patch: JsonObject[]): KubeObject {
  const before = seenAs(request.object!, request.resource, seen)
  let changed: JsonObject
  try {
    changed = applyJsonPatch(before, patch)
  } catch (error) {
    throw internalError(error instanceof Error ? messageOf(error) : String(error))
  }
  const { object } = knownFields(seen, request.objectType, {
    ...changed,
    ...(seen === request.resource ? {} : { apiVersion: seen.apiVersion }),
  })
  const back = seenAs(object as KubeObject, seen, request.resource)
  const isWhole = request.objectType.kind === request.resource.kind
  return isWhole ? withDefaults(request.resource, back) : back
}

/** The server keeps the reason of a patch that does not fit to itself, except here. */
const messageOf = (error: Error): string => (error.cause instanceof Error ? error.cause.message : error.message)

async function validate(ports: WebhookPorts, request: AdmissionRequest): Promise<void> {
  const webhooks = [...webhooksOf(ports, 'validating', request)]
  if (webhooks.length === 0) return
  const asked = webhooks.map(async (webhook) => {
    const seen = concerned(ports, webhook, request)
    if (seen) await ask(ports, webhook, request, seen, false)
  })
  const refused = (await Promise.allSettled(asked)).find((result) => result.status === 'rejected')
  if (refused) throw refused.reason
}

/** In which version a webhook is asked; undefined when the write does not concern it. */
function concerned(ports: WebhookPorts, webhook: JsonObject, request: AdmissionRequest): Resource | undefined {
  if (!isSelected(webhook, request, ports.store)) return undefined
  const seen = matchedResource(webhook, request, ports.registry)
  if (!seen || listOf(webhook['matchConditions']).length === 0) return seen
  const review = objectOf(reviewOf(request, seen, '')['request'])
  const { matches, errors } = matchesConditions(webhook, {
    object: review['object'],
    oldObject: review['oldObject'],
    request: review,
  })
  if (errors.length === 0) return matches ? seen : undefined
  if (webhook['failurePolicy'] === 'Ignore') return undefined
  throw forbidden(groupResource(request.resource), request.name, errors.join(', '))
}

async function ask(
  ports: WebhookPorts,
  webhook: JsonObject,
  request: AdmissionRequest,
  seen: Resource,
  mutating: boolean,
): Promise<ReviewResponse | undefined> {
  const name = textOf(webhook['name'])
  if (request.dryRun && !['None', 'NoneOnDryRun'].includes(textOf(webhook['sideEffects'])))
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`)
  let response: ReviewResponse
  try {
    response = await call(ports, webhook, reviewOf(request, seen, ports.uuid()), mutating)
  } catch (error) {
    if (webhook['failurePolicy'] === 'Ignore') return undefined
    throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${failureText(error)}`)
  }
  request.warnings.push(...response.warnings)
  if (response.allowed) return response
  throw denial(name, response.result)
}

function failureText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof InvalidReviewError) return `received invalid webhook response: ${message}`
  return `failed to call webhook: ${message}`
}

async function call(
  ports: WebhookPorts,
  webhook: JsonObject,
  review: JsonObject,
  mutating: boolean,
): Promise<ReviewResponse> {
  const { transport } = ports
  const client = objectOf(webhook['clientConfig'])
  const seconds = numberOf(webhook['timeoutSeconds']) || defaultTimeout
  const { shown, url, serverName } = target(transport, client, seconds)
  const bundle = textOf(client['caBundle'])
  const uid = textOf(objectOf(review['request'])['uid'])
  let answer: { code: number; body: string }
  try {
    answer = await transport.send({
      url,
      body: JSON.stringify(review),
      timeout: seconds * 1000,
      ...(serverName === undefined ? {} : { serverName }),
      ...(bundle === '' ? {} : { ca: Buffer.from(bundle, 'base64').toString() }),
    })
  } catch (error) {
    throw new Error(`Post ${JSON.stringify(shown)}: ${dialProblem(error)}`)
  }
  if (answer.code < 200 || answer.code > 299) throw new Error(httpProblem(answer.code))
  return readReview(answer.body, uid, mutating)
}

/** What Go says of a connection that does not come about. */
function dialProblem(error: unknown): string {
  const { code = '', message, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  if (code === 'ECONNREFUSED') return `dial tcp ${address}:${port}: connect: connection refused`
  if (code === 'ENOTFOUND') return `dial tcp: lookup failed: no such host`
  const certificate = certificateProblems[code]
  return certificate === undefined ? message : `tls: failed to verify certificate: x509: ${certificate}`
}

const unknownAuthority = 'certificate signed by unknown authority'
const certificateProblems: Record<string, string> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  CERT_SIGNATURE_FAILURE: unknownAuthority,
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate is not valid for any names',
}

/** What client-go says of an answer with such a code that is no Status. */
function httpProblem(code: number): string {
  if (code === 404) return 'the server could not find the requested resource'
  if (code >= 500) return `an error on the server ("") has prevented the request from succeeding`
  return 'the server rejected our request for an unknown reason'
}

interface Target {
  /** As the server says it in messages. */
  readonly shown: string
  readonly url: URL
  readonly serverName?: string
}

function target(transport: WebhookTransport, client: JsonObject, seconds: number): Target {
  const timeout = `timeout=${seconds}s`
  const text = textOf(client['url'])
  if (text !== '') {
    const url = new URL(text)
    url.search = timeout
    return { shown: url.href, url }
  }
  const service = objectOf(client['service'])
  const [namespace, name] = [textOf(service['namespace']), textOf(service['name'])]
  const port = numberOf(service['port']) || 443
  const path = textOf(service['path']) || '/'
  const serverName = `${name}.${namespace}.svc`
  const shown = `https://${serverName}:${port}${path.startsWith('/') ? path : `/${path}`}?${timeout}`
  const address = transport.resolve(namespace, name, port)
  if (!address) throw new Error(`Post ${JSON.stringify(shown)}: service ${JSON.stringify(name)} not found`)
  const url = new URL(shown)
  url.hostname = address.host
  url.port = String(address.port)
  return { shown, url, serverName }
}

function denial(name: string, result: JsonObject | undefined): ApiStatusError {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`
  const { message, reason } = objectOf(result)
  const code = numberOf(objectOf(result)['code'])
  const said = textOf(message) || textOf(reason)
  return new ApiStatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    ...(objectOf(result) as Partial<Status>),
    status: 'Failure',
    message: said === '' ? `${by} without explanation` : `${by}: ${said}`,
    code: Math.max(code, 400),
  })
}
