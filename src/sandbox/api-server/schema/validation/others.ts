import {
  child,
  duplicate,
  type FieldIssue,
  forbiddenField,
  invalidValue,
  item,
  key,
  notSupported,
  required,
  tooMany,
} from '../../field-issue.ts'
import { matchEnvironment } from '../cel/match-environment.ts'
import { celComplaint } from '../cel/program.ts'
import { isObject, type JsonObject, type JsonValue, listOf, numberOf, objectOf, sameJson, textOf } from '../json.ts'
import { labelIssues, selectorIssues } from '../metadata.ts'
import {
  configKeyProblems,
  labelProblems,
  pathSegmentProblems,
  portNameProblems,
  portProblems,
  qualifiedNameProblems,
  subdomainProblems,
} from '../names.ts'
import { choice } from './pod.ts'
import { immutable, nonNegative } from './workload.ts'

const invalids = (field: string, value: JsonValue, problems: readonly string[]): FieldIssue[] =>
  problems.map((problem) => invalidValue(field, value, problem))

function targetPortProblems(target: JsonValue | undefined): string[] {
  return typeof target === 'number' ? portProblems(target) : portNameProblems(textOf(target))
}

/** What two ports have in common, as the server prints it: its own struct. */
const servicePortStruct = (port: JsonObject): JsonObject => ({
  Name: '',
  Protocol: textOf(port.protocol),
  AppProtocol: null,
  Port: numberOf(port.port),
  TargetPort: 0,
  NodePort: 0,
})

function servicePortIssues(ports: JsonValue[]): FieldIssue[] {
  const names = new Set<string>()
  return ports.flatMap((entry, index) => {
    const port = objectOf(entry)
    const place = item('spec.ports', index)
    const name = textOf(port.name)
    const issues = [
      ...(name === ''
        ? ports.length > 1
          ? [required(child(place, 'name'))]
          : []
        : invalids(child(place, 'name'), name, labelProblems(name))),
      ...(name !== '' && names.has(name) ? [duplicate(child(place, 'name'), name)] : []),
      ...invalids(child(place, 'port'), numberOf(port.port), portProblems(numberOf(port.port))),
      ...choice(child(place, 'protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']),
      ...invalids(child(place, 'targetPort'), port.targetPort ?? 0, targetPortProblems(port.targetPort)),
    ]
    names.add(name)
    return issues
  })
}

/** Two ports of a service may have the same number for different protocols. */
function repeatedPortIssues(ports: JsonValue[]): FieldIssue[] {
  const numbers = new Set<string>()
  return ports.flatMap((entry, index) => {
    const port = objectOf(entry)
    const same = `${numberOf(port.port)}/${textOf(port.protocol)}`
    const repeated = numbers.has(same)
    numbers.add(same)
    return repeated ? [duplicate(item('spec.ports', index), servicePortStruct(port))] : []
  })
}

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']

export function serviceIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const type = textOf(spec.type)
  const ports = listOf(spec.ports)
  const before = objectOf(old?.spec)
  const headless = spec.clusterIP === 'None'
  const external = textOf(spec.externalName)
  const movesAddress =
    old !== undefined && before.type !== 'ExternalName' && type !== 'ExternalName' && textOf(before.clusterIP) !== ''
  return [
    ...(ports.length === 0 && !headless && type !== 'ExternalName' ? [required('spec.ports')] : []),
    ...servicePortIssues(ports),
    ...labelIssues(spec.selector, 'spec.selector'),
    ...choice('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']),
    ...choice('spec.type', type, serviceTypes),
    ...repeatedPortIssues(ports),
    ...(type !== 'ExternalName'
      ? []
      : external === ''
        ? [required('spec.externalName')]
        : invalids('spec.externalName', external, subdomainProblems(external))),
    ...(type === 'LoadBalancer' && headless
      ? [invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services")]
      : []),
    ...(movesAddress && !sameJson(spec.clusterIP ?? '', before.clusterIP ?? '')
      ? [invalidValue('spec.clusterIPs[0]', spec.clusterIP ?? null, 'may not change once set')]
      : []),
  ]
}

const LARGEST = 1024 * 1024
const sizeOf = (data: JsonObject, encoded: boolean): number =>
  Object.values(data).reduce<number>(
    (sum, value) => sum + (encoded ? Buffer.from(textOf(value), 'base64').length : Buffer.byteLength(textOf(value))),
    0,
  )
const dataKeyIssues = (data: JsonObject, field: string): FieldIssue[] =>
  Object.keys(data).flatMap((name) => invalids(key(field, name), name, configKeyProblems(name)))

function frozenIssues(object: JsonObject, old: JsonObject | undefined, fields: readonly string[]): FieldIssue[] {
  if (old?.immutable !== true) return []
  const detail = 'field is immutable when `immutable` is set'
  const thawed = object.immutable !== true ? [forbiddenField('immutable', detail)] : []
  const changed = fields.filter((name) => !sameJson(objectOf(object[name]), objectOf(old[name])))
  return [...thawed, ...changed.map((name) => forbiddenField(name, detail))]
}

export function configMapIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const [data, binary] = [objectOf(object.data), objectOf(object.binaryData)]
  const both = Object.keys(data).filter((name) => name in binary)
  const tooLarge = sizeOf(data, false) + sizeOf(binary, true) > LARGEST
  return [
    ...dataKeyIssues(data, 'data'),
    ...both.map((name) => invalidValue(key('data', name), name, 'duplicate of key present in binaryData')),
    ...dataKeyIssues(binary, 'binaryData'),
    ...(tooLarge
      ? [{ type: 'FieldValueTooLong', field: '', detail: `may not be more than ${LARGEST} bytes` } as const]
      : []),
    ...frozenIssues(object, old, ['data', 'binaryData']),
  ]
}

const secretKeys: Record<string, readonly string[]> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
}

export function secretIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const data = objectOf(object.data)
  const type = textOf(object.type)
  const account = 'kubernetes.io/service-account.name'
  const annotation = textOf(objectOf(objectOf(object.metadata).annotations)[account])
  return [
    ...dataKeyIssues(data, 'data'),
    ...(sizeOf(data, true) > LARGEST
      ? [{ type: 'FieldValueTooLong', field: 'data', detail: `may not be more than ${LARGEST} bytes` } as const]
      : []),
    ...(type === 'kubernetes.io/service-account-token' && annotation === ''
      ? [required(key('metadata.annotations', account))]
      : []),
    ...(secretKeys[type] ?? []).filter((name) => data[name] === undefined).map((name) => required(key('data', name))),
    ...(old === undefined ? [] : immutable(object.type, old.type, 'type')),
    ...frozenIssues(object, old, ['data']),
  ]
}

export function leaseIssues(object: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = spec
  return [
    ...(typeof seconds === 'number' && seconds <= 0
      ? [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
      : []),
    ...(typeof transitions === 'number' && transitions < 0
      ? [invalidValue('spec.leaseTransitions', transitions, 'must be greater than or equal to 0')]
      : []),
    ...(textOf(spec.preferredHolder) !== '' && textOf(spec.strategy) === ''
      ? [forbiddenField('spec.preferredHolder', 'may only be specified if `strategy` is defined')]
      : []),
  ]
}

const RBAC = 'rbac.authorization.k8s.io'

function ruleIssues(rule: JsonObject, namespaced: boolean, field: string): FieldIssue[] {
  const urls = listOf(rule.nonResourceURLs)
  const count = (name: string) => listOf(rule[name]).length
  const issues = count('verbs') === 0 ? [required(child(field, 'verbs'))] : []
  const place = child(field, 'nonResourceURLs')
  if (urls.length > 0) {
    if (namespaced) issues.push(invalidValue(place, urls, 'namespaced rules cannot apply to non-resource URLs'))
    if (count('apiGroups') + count('resources') + count('resourceNames') > 0)
      issues.push(invalidValue(place, urls, 'rules cannot apply to both regular resources and non-resource URLs'))
    return issues
  }
  if (count('apiGroups') === 0)
    issues.push(required(child(field, 'apiGroups'), 'resource rules must supply at least one api group'))
  if (count('resources') === 0)
    issues.push(required(child(field, 'resources'), 'resource rules must supply at least one resource'))
  return issues
}

export const roleIssues =
  (namespaced: boolean) =>
  (object: JsonObject): FieldIssue[] =>
    listOf(object.rules).flatMap((rule, index) => ruleIssues(objectOf(rule), namespaced, item('rules', index)))

function subjectIssues(subject: JsonObject, namespaced: boolean, field: string): FieldIssue[] {
  const [name, kind, group] = [textOf(subject.name), textOf(subject.kind), textOf(subject.apiGroup)]
  const issues = name === '' ? [required(child(field, 'name'))] : []
  if (kind === 'ServiceAccount') {
    if (name !== '') issues.push(...invalids(child(field, 'name'), name, subdomainProblems(name)))
    if (group !== '') issues.push(notSupported(child(field, 'apiGroup'), group, ['']))
    if (!namespaced && textOf(subject.namespace) === '') issues.push(required(child(field, 'namespace')))
  } else if (kind === 'User' || kind === 'Group') {
    if (group !== RBAC) issues.push(notSupported(child(field, 'apiGroup'), group, [RBAC]))
  } else issues.push(notSupported(child(field, 'kind'), kind, ['ServiceAccount', 'User', 'Group']))
  return issues
}

export const bindingIssues =
  (namespaced: boolean) =>
  (object: JsonObject, old?: JsonObject): FieldIssue[] => {
    const ref = objectOf(object.roleRef)
    const [group, kind, name] = [textOf(ref.apiGroup), textOf(ref.kind), textOf(ref.name)]
    const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
    return [
      ...(group === RBAC ? [] : [notSupported('roleRef.apiGroup', group, [RBAC])]),
      ...(kinds.includes(kind) ? [] : [notSupported('roleRef.kind', kind, kinds)]),
      ...(name === '' ? [required('roleRef.name')] : invalids('roleRef.name', name, pathSegmentProblems(name))),
      ...listOf(object.subjects).flatMap((subject, index) =>
        subjectIssues(objectOf(subject), namespaced, item('subjects', index)),
      ),
      ...(old === undefined ? [] : immutable(object.roleRef, old.roleRef, 'roleRef')),
    ]
  }

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']

function webhookRuleIssues(rule: JsonObject, field: string): FieldIssue[] {
  const empty = ['operations', 'apiGroups', 'apiVersions', 'resources'].filter(
    (name) => listOf(rule[name]).length === 0,
  )
  const wildcards = [
    ['operations', 'operations'],
    ['apiGroups', 'API groups'],
    ['apiVersions', 'API versions'],
  ] as const
  return [
    ...empty.map((name) => required(child(field, name))),
    ...wildcards
      .filter(([name]) => listOf(rule[name]).length > 1 && listOf(rule[name]).includes('*'))
      .map(([name, words]) =>
        invalidValue(child(field, name), listOf(rule[name]), `if '*' is present, must not specify other ${words}`),
      ),
    ...listOf(rule.operations).flatMap((operation, index) =>
      operations.includes(textOf(operation))
        ? []
        : [notSupported(item(child(field, 'operations'), index), operation, operations)],
    ),
    ...choice(child(field, 'scope'), rule.scope, ['*', 'Cluster', 'Namespaced']),
  ]
}

const FORM = '; desired format: https://host[/path]'

function urlIssues(url: string, field: string): FieldIssue[] {
  if (!URL.canParse(url))
    return [required(field, `url must be a valid URL: parse ${JSON.stringify(url)}: invalid URI${FORM}`)]
  const { protocol, hash, search } = new URL(url)
  return [
    ...(protocol === 'https:'
      ? []
      : [invalidValue(field, protocol.slice(0, -1), `'https' is the only allowed URL scheme${FORM}`)]),
    ...(hash === '' ? [] : [invalidValue(field, hash.slice(1), 'fragments are not permitted in the URL')]),
    ...(search === '' ? [] : [invalidValue(field, search.slice(1), 'query parameters are not permitted in the URL')]),
  ]
}

function clientIssues(client: JsonObject, field: string): FieldIssue[] {
  const { service, url } = client
  if ((url === undefined) === !isObject(service)) return [required(field, 'exactly one of url or service is required')]
  if (url !== undefined) return urlIssues(textOf(url), child(field, 'url'))
  const place = child(field, 'service')
  const { name, namespace, port, path } = objectOf(service)
  const problems = portProblems(numberOf(port))
  return [
    ...(textOf(name) === '' ? [required(child(place, 'name'))] : []),
    ...(textOf(namespace) === '' ? [required(child(place, 'namespace'))] : []),
    ...(problems.length === 0
      ? []
      : [invalidValue(child(place, 'port'), numberOf(port), `port is not valid: ${problems.join(', ')}`)]),
    ...(textOf(path) === '' || textOf(path).startsWith('/')
      ? []
      : [invalidValue(child(place, 'path'), textOf(path), "must start with a '/'")]),
  ]
}

function webhookNameIssues(name: string, field: string): FieldIssue[] {
  if (name === '') return [required(field)]
  const problems = subdomainProblems(name)
  if (problems.length > 0) return [invalidValue(field, name, problems.join(','))]
  return name.split('.').length < 3
    ? [invalidValue(field, name, 'should be a domain with at least three segments separated by dots')]
    : []
}

const MOST_CONDITIONS = 64

function conditionIssues(condition: JsonObject, field: string): FieldIssue[] {
  const [name, expression] = [textOf(condition.name), textOf(condition.expression).trim()]
  const place = child(field, 'expression')
  const complaint = expression === '' ? undefined : celComplaint(matchEnvironment, expression)
  return [
    ...(expression === '' ? [required(place)] : []),
    ...(complaint === undefined ? [] : [invalidValue(place, expression, `compilation failed: ${complaint}`)]),
    ...(name === ''
      ? [required(child(field, 'name'))]
      : qualifiedNameProblems(name).map((problem) => invalidValue(child(field, 'name'), name, problem))),
  ]
}

function conditionsIssues(conditions: JsonValue | undefined, field: string): FieldIssue[] {
  const names = new Set<string>()
  const all = listOf(conditions)
  return [
    ...(all.length > MOST_CONDITIONS ? [tooMany(field, all.length, MOST_CONDITIONS)] : []),
    ...all.flatMap((entry, index) => {
      const place = item(field, index)
      const name = textOf(objectOf(entry).name)
      const repeated = name !== '' && names.has(name)
      names.add(name)
      return [...conditionIssues(objectOf(entry), place), ...(repeated ? [duplicate(child(place, 'name'), name)] : [])]
    }),
  ]
}

const noSideEffects = ['None', 'NoneOnDryRun']

function oneWebhookIssues(hook: JsonObject, field: string): FieldIssue[] {
  const seconds = hook.timeoutSeconds
  const effects = textOf(hook.sideEffects)
  const versions = listOf(hook.admissionReviewVersions).map(textOf)
  const place = child(field, 'admissionReviewVersions')
  return [
    ...webhookNameIssues(textOf(hook.name), child(field, 'name')),
    ...listOf(hook.rules).flatMap((rule, index) =>
      webhookRuleIssues(objectOf(rule), item(child(field, 'rules'), index)),
    ),
    ...choice(child(field, 'failurePolicy'), hook.failurePolicy, ['Fail', 'Ignore']),
    ...choice(child(field, 'matchPolicy'), hook.matchPolicy, ['Equivalent', 'Exact']),
    ...(effects === ''
      ? [required(child(field, 'sideEffects'), `must specify one of ${noSideEffects.join(', ')}`)]
      : noSideEffects.includes(effects)
        ? []
        : [notSupported(child(field, 'sideEffects'), effects, noSideEffects)]),
    ...(typeof seconds === 'number' && (seconds < 1 || seconds > 30)
      ? [invalidValue(child(field, 'timeoutSeconds'), seconds, 'the timeout value must be between 1 and 30 seconds')]
      : []),
    ...selectorIssues(hook.namespaceSelector, child(field, 'namespaceSelector')),
    ...selectorIssues(hook.objectSelector, child(field, 'objectSelector')),
    ...clientIssues(objectOf(hook.clientConfig), child(field, 'clientConfig')),
    ...(versions.length === 0
      ? [required(place, 'must specify one of v1, v1beta1')]
      : versions.some((version) => version === 'v1' || version === 'v1beta1')
        ? []
        : [invalidValue(place, versions, 'must include at least one of v1, v1beta1')]),
    ...conditionsIssues(hook.matchConditions, child(field, 'matchConditions')),
  ]
}

export function webhookIssues(object: JsonObject): FieldIssue[] {
  const names = new Set<string>()
  return listOf(object.webhooks).flatMap((entry, index) => {
    const hook = objectOf(entry)
    const place = item('webhooks', index)
    const name = textOf(hook.name)
    const repeated = names.has(name)
    names.add(name)
    return [...oneWebhookIssues(hook, place), ...(repeated ? [duplicate(child(place, 'name'), name)] : [])]
  })
}

/** The spec of a budget as the server prints it: its own struct. */
const budgetStruct = (spec: JsonObject): JsonObject => ({
  MinAvailable: spec.minAvailable ?? null,
  Selector: spec.selector ?? null,
  MaxUnavailable: spec.maxUnavailable ?? null,
  UnhealthyPodEvictionPolicy: spec.unhealthyPodEvictionPolicy ?? null,
})

export function podDisruptionBudgetIssues(object: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const both = spec.minAvailable !== undefined && spec.maxUnavailable !== undefined
  return [
    ...(both ? [invalidValue('spec', budgetStruct(spec), 'minAvailable and maxUnavailable cannot be both set')] : []),
    ...selectorIssues(spec.selector, 'spec.selector'),
    ...nonNegative(spec, 'spec', 'minAvailable', 'maxUnavailable'),
  ]
}
