import { knownFields } from '../handlers/decode-body.ts'
import { withDefaults } from '../handlers/prepare-object.ts'
import { userObject } from '../handlers/user-object.ts'
import type { KubeObject } from '../kube-object.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { isObject, type JsonObject, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { selectorOf } from '../selectors/label-selector.ts'
import { ApiStatusError, badRequest, internalError, type Status } from '../status.ts'
import type { Store } from '../store/store.ts'
import type { AdmissionRequest } from './admission-request.ts'
import type { WebhookTransport } from './webhook-transport.ts'

export interface WebhookPorts {
  readonly store: Store
  readonly transport: WebhookTransport
  readonly uuid: () => string
}

const group = 'admissionregistration.k8s.io'
/** API groups whose writes call no webhooks, so that a webhook cannot block its own configuration, or token reviews. */
const exempt = [group, 'authentication.k8s.io']

/** The webhooks to call for a write, in the order of their configurations' names. */
function webhooksOf({ store }: WebhookPorts, kind: 'mutating' | 'validating', request: AdmissionRequest): JsonObject[] {
  if (exempt.includes(request.resource.group)) return []
  return [...store.walk(`${group}/${kind}webhookconfigurations`)]
    .flatMap((configuration) => listOf(configuration['webhooks']).map(objectOf))
    .filter((webhook) => listOf(webhook['rules']).some((rule) => matchesRule(objectOf(rule), request)))
    .filter((webhook) => isSelected(webhook, request, store))
}

const includes = (values: unknown, value: string): boolean => listOf(values).some((one) => one === '*' || one === value)

function matchesRule(rule: JsonObject, { operation, resource, subresource }: AdmissionRequest): boolean {
  const scope = textOf(rule['scope']) || '*'
  const isResource = (pattern: unknown): boolean => {
    const [plural = '', sub = ''] = textOf(pattern).split('/')
    return (plural === '*' || plural === resource.plural) && (sub === subresource || sub === '*')
  }
  return (
    includes(rule['operations'], operation) &&
    includes(rule['apiGroups'], resource.group) &&
    includes(rule['apiVersions'], resource.version) &&
    (scope === '*' || (scope === 'Namespaced') === resource.namespaced) &&
    listOf(rule['resources']).some(isResource)
  )
}

/** Whether the webhook selects namespace and object. For an update, it must select the old or the new object. */
function isSelected(webhook: JsonObject, request: AdmissionRequest, store: Store): boolean {
  const { resource, object, oldObject, namespace } = request
  const objectSelector = selectorOf(webhook['objectSelector'])
  if (![object, oldObject].some((one) => one && objectSelector.matches(one.metadata.labels ?? {}))) return false
  const isNamespace = resource.storage === '/namespaces'
  // Namespace selectors apply only to namespaces, and to objects in them.
  if (!resource.namespaced && !isNamespace) return true
  const home = isNamespace && object ? object : store.get('/namespaces', '', namespace)
  return selectorOf(webhook['namespaceSelector']).matches(home?.metadata.labels ?? {})
}

/** Calls the mutating webhooks, one after the other. Returns undefined if no webhook applies. */
export async function mutateByWebhooks(
  ports: WebhookPorts,
  request: AdmissionRequest,
): Promise<KubeObject | undefined> {
  let object = request.object
  for (const webhook of webhooksOf(ports, 'mutating', request))
    object = await mutateOne(ports, webhook, { ...request, object })
  return object
}

async function mutateOne(
  ports: WebhookPorts,
  webhook: JsonObject,
  request: AdmissionRequest,
): Promise<KubeObject | undefined> {
  const { object, resource, objectType } = request
  const response = await ask(ports, webhook, request)
  const patch = listOf(response && patchOf(webhook, response))
  if (patch.length === 0 || !object) return object
  let changed: JsonObject
  try {
    changed = applyJsonPatch(object, patch)
  } catch (error) {
    throw internalError(error instanceof Error ? messageOf(error) : String(error))
  }
  const known = knownFields(resource, objectType, changed).object as KubeObject
  return objectType.kind === resource.kind ? withDefaults(resource, known) : known
}

/**
 * The reason why a patch does not fit the object. A webhook's error shows this reason; the answer to a client's patch
 * hides it.
 */
const messageOf = (error: Error): string => (error.cause instanceof Error ? error.cause.message : error.message)

function patchOf(webhook: JsonObject, { patch, patchType }: JsonObject): JsonObject[] {
  if (patch === undefined || patch === '') return []
  if (patchType !== 'JSONPatch')
    throw failed(webhook, `received invalid webhook response: invalid response.patchType ${JSON.stringify(patchType)}`)
  return listOf(JSON.parse(Buffer.from(textOf(patch), 'base64').toString())).map(objectOf)
}

/** Calls the validating webhooks in parallel. @throws {ApiStatusError} the answer of the first webhook that refuses */
export async function validateByWebhooks(ports: WebhookPorts, request: AdmissionRequest): Promise<void> {
  const asked = webhooksOf(ports, 'validating', request).map((webhook) => ask(ports, webhook, request))
  const refused = (await Promise.allSettled(asked)).find((result) => result.status === 'rejected')
  if (refused) throw refused.reason
}

const nameOf = (webhook: JsonObject): string => JSON.stringify(textOf(webhook['name']))
const failed = (webhook: JsonObject, problem: string): ApiStatusError =>
  internalError(`failed calling webhook ${nameOf(webhook)}: ${problem}`)

/**
 * The response of a webhook that allows the write. If the webhook fails and its failure may be ignored, undefined.
 * @throws {ApiStatusError}
 */
async function ask(
  ports: WebhookPorts,
  webhook: JsonObject,
  request: AdmissionRequest,
): Promise<JsonObject | undefined> {
  if (request.dryRun && !['None', 'NoneOnDryRun'].includes(textOf(webhook['sideEffects'])))
    throw badRequest(`admission webhook ${nameOf(webhook)} does not support dry run`)
  let response: JsonObject
  try {
    response = await call(ports, webhook, request)
  } catch (error) {
    if (webhook['failurePolicy'] === 'Ignore') return undefined
    throw failed(webhook, error instanceof Error ? error.message : String(error))
  }
  request.warnings.push(...listOf(response['warnings']).map(textOf))
  if (response['allowed'] === true) return response
  throw denial(webhook, objectOf(response['status']))
}

/** @throws {Error} if no valid answer arrives */
async function call(
  { transport, uuid }: WebhookPorts,
  webhook: JsonObject,
  request: AdmissionRequest,
): Promise<JsonObject> {
  const client = objectOf(webhook['clientConfig'])
  if (!client['url']) throw new Error('failed to call webhook: the sandbox cannot reach services, only URLs')
  const seconds = numberOf(webhook['timeoutSeconds']) || 10
  const url = new URL(textOf(client['url']))
  url.search = `timeout=${seconds}s`
  const ca = Buffer.from(textOf(client['caBundle']), 'base64').toString()
  const uid = uuid()
  const body = JSON.stringify(reviewOf(request, uid))
  const answer = await transport({ url, body, timeout: seconds * 1000, ca }).catch((error: Error) => {
    throw new Error(`failed to call webhook: Post ${JSON.stringify(url)}: ${error.message}`)
  })
  if (answer.code < 200 || answer.code > 299) throw new Error(`failed to call webhook: it answered ${answer.code}`)
  const response = readReview(answer.body)
  if (response?.['uid'] === uid) return response
  throw new Error(`received invalid webhook response: it is not an AdmissionReview of admission.k8s.io/v1 about ${uid}`)
}

function readReview(body: string): JsonObject | undefined {
  try {
    const { apiVersion, kind, response } = objectOf(JSON.parse(body))
    if (apiVersion === 'admission.k8s.io/v1' && kind === 'AdmissionReview' && isObject(response)) return response
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return undefined
}

/** The AdmissionReview for a write. */
function reviewOf(request: AdmissionRequest, uid: string): JsonObject {
  const { resource, objectType, subresource, name, namespace, operation, user, dryRun, options } = request
  const [version = '', kindGroup = ''] = objectType.apiVersion.split('/').reverse()
  const kind = { group: kindGroup, version, kind: objectType.kind }
  const requested = { group: resource.group, version: resource.version, resource: resource.plural }
  const below = subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource }
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      ...{ uid, kind, resource: requested, requestKind: kind, requestResource: requested, ...below },
      ...(name ? { name } : {}),
      ...(namespace ? { namespace } : {}),
      ...{ operation, userInfo: userObject(user), object: request.object ?? null },
      ...{ oldObject: request.oldObject ?? null, dryRun, options },
    },
  }
}

function denial(webhook: JsonObject, result: JsonObject): ApiStatusError {
  const by = `admission webhook ${nameOf(webhook)} denied the request`
  const said = textOf(result['message']) || textOf(result['reason'])
  return new ApiStatusError({
    ...{ kind: 'Status', apiVersion: 'v1', metadata: {} },
    ...(result as Partial<Status>),
    status: 'Failure',
    message: said === '' ? `${by} without explanation` : `${by}: ${said}`,
    code: Math.max(numberOf(result['code']), 400),
  })
}
