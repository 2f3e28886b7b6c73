import type { KubeObject } from '../../kube-object.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Resource } from '../../registry/resource.ts'
import { type JsonObject, listOf, objectOf, textOf } from '../../schema/json.ts'
import { matchesLabels } from '../../selectors/label-requirement.ts'
import { labelSelectorRequirements } from '../../selectors/label-selector-object.ts'
import type { Store } from '../../store/store.ts'
import type { AdmissionRequest } from '../admission-request.ts'

const texts = (value: unknown): string[] => listOf(value).map(textOf)
const includes = (values: string[], value: string): boolean => values.includes('*') || values.includes(value)

/**
 * The resource in whose version a webhook hears of a write: the one written, or with `matchPolicy: Equivalent` another
 * version of it that a rule names. Undefined when no rule matches.
 */
export function matchedResource(
  webhook: JsonObject,
  request: AdmissionRequest,
  registry: Registry,
): Resource | undefined {
  const rules = listOf(webhook['rules']).map(objectOf)
  if (rules.some((rule) => matchesRule(rule, request, request.resource))) return request.resource
  if (webhook['matchPolicy'] === 'Exact') return undefined
  return registry
    .all()
    .filter((other) => other.storage === request.resource.storage && other !== request.resource)
    .find((other) => rules.some((rule) => matchesRule(rule, request, other)))
}

function matchesRule(rule: JsonObject, { operation, subresource }: AdmissionRequest, resource: Resource): boolean {
  const scope = textOf(rule['scope']) || '*'
  return (
    includes(texts(rule['operations']), operation) &&
    includes(texts(rule['apiGroups']), resource.group) &&
    includes(texts(rule['apiVersions']), resource.version) &&
    (scope === '*' || (scope === 'Namespaced') === resource.namespaced) &&
    texts(rule['resources']).some((pattern) => matchesResource(pattern, resource.plural, subresource))
  )
}

function matchesResource(pattern: string, plural: string, subresource: string): boolean {
  const [resource = '', sub = ''] = pattern.split('/')
  return (resource === '*' || resource === plural) && (sub === subresource || sub === '*')
}

/** Whether namespace and object are selected. An update counts if either the old or the new object is. */
export function isSelected(webhook: JsonObject, request: AdmissionRequest, store: Store): boolean {
  const objectSelector = labelSelectorRequirements(webhook['objectSelector']) ?? []
  const objects = [request.object, request.oldObject].filter((one) => one !== undefined)
  if (objectSelector.length > 0 && !objects.some((one) => matchesLabels(objectSelector, one.metadata?.labels)))
    return false
  const namespaceSelector = labelSelectorRequirements(webhook['namespaceSelector']) ?? []
  if (namespaceSelector.length === 0) return true
  return matchesLabels(namespaceSelector, namespaceLabels(request, store)) || isClusterScoped(request)
}

/** Only namespaces and what is in them is selected by namespace. */
const isClusterScoped = ({ resource }: AdmissionRequest): boolean =>
  !resource.namespaced && resource.storage !== '/namespaces'

function namespaceLabels(request: AdmissionRequest, store: Store): KubeObject['metadata']['labels'] {
  if (request.resource.storage === '/namespaces' && request.subresource === '' && request.operation !== 'DELETE')
    return request.object?.metadata.labels
  return store.get('/namespaces', '', request.namespace)?.metadata.labels
}
