import type { OwnDefaults } from './defaulting.ts'
import { clone, isObject, type JsonObject, type JsonValue, listOf, numberOf, objectOf, textOf } from './json.ts'

const isUnset = (value: unknown): boolean => value === undefined || value === null || value === ''

/** The value with defaults for its unset fields. A field with zero is set. */
function given(value: JsonObject, defaults: JsonObject): JsonObject {
  const missing = Object.entries(defaults).filter(([name]) => isUnset(value[name]))
  return missing.length === 0 ? value : { ...value, ...Object.fromEntries(missing) }
}

const withSpec = (value: JsonObject, change: (spec: JsonObject) => JsonObject): JsonObject => ({
  ...value,
  spec: change(objectOf(value.spec)),
})

const pullPolicy = (image: string): string => (/@|:(?!latest$)[^/]*$/.test(image) ? 'IfNotPresent' : 'Always')

const container = (value: JsonObject): JsonObject =>
  given(value, {
    imagePullPolicy: pullPolicy(textOf(value.image)),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  })

function podSpec(value: JsonObject): JsonObject {
  const account = textOf(value.serviceAccountName) || textOf(value.serviceAccount)
  return given(account === '' ? value : { ...value, serviceAccountName: account, serviceAccount: account }, {
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    securityContext: {},
    schedulerName: 'default-scheduler',
  })
}

/**
 * The container of a pod with its requests: a missing request equals the limit. Containers in pod templates do not get
 * these defaults.
 */
function withRequests(value: JsonValue): JsonObject {
  const resources = objectOf(objectOf(value).resources)
  if (!isObject(resources.limits)) return objectOf(value)
  const requests = { ...clone(resources.limits), ...objectOf(resources.requests) }
  return { ...objectOf(value), resources: { ...resources, requests } }
}

const pod = (spec: JsonObject): JsonObject =>
  given(
    { ...spec, ...(spec.containers === undefined ? {} : { containers: listOf(spec.containers).map(withRequests) }) },
    { enableServiceLinks: true },
  )

const servicePort = (value: JsonObject): JsonObject =>
  given(value.targetPort === 0 ? { ...value, targetPort: null } : value, {
    targetPort: numberOf(value.port),
    protocol: 'TCP',
  })

const service = (spec: JsonObject): JsonObject =>
  given(spec, {
    sessionAffinity: 'None',
    type: 'ClusterIP',
    ...(spec.type === 'ExternalName' ? {} : { internalTrafficPolicy: 'Cluster' }),
    ...(spec.type === 'NodePort' || spec.type === 'LoadBalancer' ? { externalTrafficPolicy: 'Cluster' } : {}),
  })

/** A Secret in its stored form: `stringData`, which only makes writing easier, becomes base64 in `data`. */
function secret(value: JsonObject): JsonObject {
  const { stringData, ...rest } = value
  const typed = given(rest, { type: 'Opaque' })
  if (!isObject(stringData)) return typed
  const encoded = Object.entries(stringData).map(([name, text]) => [name, Buffer.from(textOf(text)).toString('base64')])
  return { ...typed, data: { ...objectOf(rest.data), ...Object.fromEntries(encoded) } }
}

function namespace(value: JsonObject): JsonObject {
  const metadata = objectOf(value.metadata)
  const labels = { ...objectOf(metadata.labels), 'kubernetes.io/metadata.name': textOf(metadata.name) }
  const status = given(objectOf(value.status), { phase: 'Active' })
  return { ...value, metadata: textOf(metadata.name) === '' ? metadata : { ...metadata, labels }, status }
}

/** A strategy with defaults. Only a rolling update has parameters. */
function rolling(strategy: unknown, parameters: JsonObject): JsonObject {
  const typed = given(objectOf(strategy), { type: 'RollingUpdate' })
  if (typed.type !== 'RollingUpdate') return typed
  return { ...typed, rollingUpdate: given(objectOf(typed.rollingUpdate), parameters) }
}

const deployment = (spec: JsonObject): JsonObject => ({
  ...given(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }),
  strategy: rolling(spec.strategy, { maxUnavailable: '25%', maxSurge: '25%' }),
})

const daemonSet = (spec: JsonObject): JsonObject => ({
  ...given(spec, { revisionHistoryLimit: 10 }),
  updateStrategy: rolling(spec.updateStrategy, { maxUnavailable: 1, maxSurge: 0 }),
})

const statefulSet = (spec: JsonObject): JsonObject => ({
  ...given(spec, { replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady' }),
  updateStrategy: rolling(spec.updateStrategy, { partition: 0 }),
})

const RBAC = 'rbac.authorization.k8s.io'
const binding = (value: JsonObject): JsonObject => ({
  ...value,
  roleRef: given(objectOf(value.roleRef), { apiGroup: RBAC }),
})

const names = (value: JsonObject): JsonObject => {
  const kind = textOf(value.kind)
  return kind === '' ? value : given(value, { singular: kind.toLowerCase(), listKind: `${kind}List` })
}

function definition(value: JsonObject): JsonObject {
  const full = withSpec(value, (spec) => given(spec, { conversion: { strategy: 'None' } }))
  const stored = listOf(objectOf(value.spec).versions)
    .map(objectOf)
    .find(({ storage }) => storage === true)
  const status = objectOf(value.status)
  if (stored === undefined || listOf(status.storedVersions).length > 0) return full
  return { ...full, status: { ...status, storedVersions: [textOf(stored.name)] } }
}

const webhook: JsonObject = {
  failurePolicy: 'Fail',
  matchPolicy: 'Equivalent',
  namespaceSelector: {},
  objectSelector: {},
  timeoutSeconds: 10,
}
const defaultMode: JsonObject = { defaultMode: 0o644 }

/** For each type, the defaults of unset fields that the published schema does not have. */
const plain: Readonly<Record<string, JsonObject>> = {
  Probe: { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 },
  HTTPGetAction: { path: '/', scheme: 'HTTP' },
  SecretVolumeSource: defaultMode,
  ConfigMapVolumeSource: defaultMode,
  DownwardAPIVolumeSource: defaultMode,
  ProjectedVolumeSource: defaultMode,
  ServiceAccountTokenProjection: { expirationSeconds: 3600 },
  HostPathVolumeSource: { type: '' },
  ObjectFieldSelector: { apiVersion: 'v1' },
  ContainerPort: { protocol: 'TCP' },
  ValidatingWebhook: webhook,
  MutatingWebhook: { ...webhook, reinvocationPolicy: 'Never' },
  RuleWithOperations: { scope: '*' },
  ServiceReference: { port: 443 },
}

const computed: Readonly<Record<string, (value: JsonObject) => JsonObject>> = {
  Container: container,
  EphemeralContainer: container,
  PodSpec: podSpec,
  Pod: (value) => withSpec(value, pod),
  Volume: (value) => (Object.keys(value).some((name) => name !== 'name') ? value : { ...value, emptyDir: {} }),
  ServicePort: servicePort,
  Service: (value) => withSpec(value, service),
  Secret: secret,
  Namespace: namespace,
  NodeStatus: (value) => (isObject(value.capacity) ? given(value, { allocatable: clone(value.capacity) }) : value),
  Deployment: (value) => withSpec(value, deployment),
  DaemonSet: (value) => withSpec(value, daemonSet),
  StatefulSet: (value) => withSpec(value, statefulSet),
  ReplicaSet: (value) => withSpec(value, (spec) => given(spec, { replicas: 1 })),
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  Subject: (value) => (value.kind === 'User' || value.kind === 'Group' ? given(value, { apiGroup: RBAC }) : value),
  CustomResourceDefinition: definition,
  CustomResourceDefinitionNames: names,
}

const entry = <T>(table: Readonly<Record<string, T>>, title: string): T | undefined =>
  Object.hasOwn(table, title) ? table[title] : undefined

/** The defaults of a built-in type, by its name in the published schema. */
export const ownDefaults: OwnDefaults = (value, { title = '' }) =>
  entry(computed, title)?.(value) ?? given(value, entry(plain, title) ?? {})
