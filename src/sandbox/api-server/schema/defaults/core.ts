import { clone, isObject, type JsonObject, listOf, numberOf, objectOf, textOf } from '../json.ts'
import { absent, given, type TypeDefaults } from './type-defaults.ts'

/** The tag of an image; `latest` when it has neither tag nor digest. */
function tagOf(image: string): string {
  if (image.includes('@')) return ''
  const last = image.slice(image.lastIndexOf('/') + 1)
  return last.includes(':') ? last.slice(last.indexOf(':') + 1) : 'latest'
}

const pullPolicy = (image: string): string => (tagOf(image) === 'latest' ? 'Always' : 'IfNotPresent')

const container = (value: JsonObject): JsonObject =>
  given(value, {
    imagePullPolicy: pullPolicy(textOf(value.image)),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  })

function podSpec(value: JsonObject): JsonObject {
  const account = textOf(value.serviceAccountName) || textOf(value.serviceAccount)
  const named = account === '' ? value : { ...value, serviceAccountName: account, serviceAccount: account }
  return given(absent(named, { terminationGracePeriodSeconds: 30 }), {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    securityContext: {},
    schedulerName: 'default-scheduler',
  })
}

/** Requests are what the limits are, where they say nothing: only of pods, not of templates. */
function withRequests(value: JsonObject): JsonObject {
  const resources = objectOf(value.resources)
  if (!isObject(resources.limits)) return value
  return {
    ...value,
    resources: { ...resources, requests: { ...clone(resources.limits), ...objectOf(resources.requests) } },
  }
}

const onHost = (value: JsonObject): JsonObject =>
  Array.isArray(value.ports)
    ? {
        ...value,
        ports: value.ports.map((port) => given(objectOf(port), { hostPort: numberOf(objectOf(port).containerPort) })),
      }
    : value

function pod(value: JsonObject): JsonObject {
  const spec = objectOf(value.spec)
  const each = (containers: unknown) =>
    listOf(containers).map((entry) => {
      const full = withRequests(objectOf(entry))
      return spec.hostNetwork === true ? onHost(full) : full
    })
  const grace = spec.terminationGracePeriodSeconds
  return {
    ...value,
    spec: given(
      {
        ...spec,
        ...(spec.containers === undefined ? {} : { containers: each(spec.containers) }),
        ...(spec.initContainers === undefined ? {} : { initContainers: each(spec.initContainers) }),
        ...(typeof grace === 'number' && grace < 0 ? { terminationGracePeriodSeconds: 1 } : {}),
      },
      { enableServiceLinks: true },
    ),
  }
}

const volumeSources = (value: JsonObject): string[] => Object.keys(value).filter((name) => name !== 'name')

function volume(value: JsonObject): JsonObject {
  if (volumeSources(value).length === 0) return { ...value, emptyDir: {} }
  const image = value.image
  return isObject(image)
    ? { ...value, image: given(image, { pullPolicy: pullPolicy(textOf(image.reference)) }) }
    : value
}

function servicePort(value: JsonObject): JsonObject {
  const target = value.targetPort
  const unset = target === undefined || target === 0 || target === ''
  return given(unset ? { ...value, targetPort: value.port ?? 0 } : value, { protocol: 'TCP' })
}

function service(value: JsonObject): JsonObject {
  const spec = given(objectOf(value.spec), { sessionAffinity: 'None', type: 'ClusterIP' })
  const type = textOf(spec.type)
  const external =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && listOf(spec.externalIPs).length > 0)
  const { sessionAffinityConfig, ...rest } = spec
  const sticky = spec.sessionAffinity === 'ClientIP'
  return {
    ...value,
    spec: given(
      {
        ...rest,
        ...(sticky ? { sessionAffinityConfig: sessionAffinityConfig ?? { clientIP: { timeoutSeconds: 10800 } } } : {}),
      },
      {
        ...(external ? { externalTrafficPolicy: 'Cluster' } : {}),
        ...(type === 'ExternalName' ? {} : { internalTrafficPolicy: 'Cluster' }),
        ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: true } : {}),
      },
    ),
  }
}

/** Text data is a convenience of writing: it is stored, and read, as base64. */
function secret(value: JsonObject): JsonObject {
  const { stringData, ...rest } = value
  const typed = given(rest, { type: 'Opaque' })
  if (!isObject(stringData)) return typed
  const encoded = Object.entries(stringData).map(([name, text]) => [name, Buffer.from(textOf(text)).toString('base64')])
  return { ...typed, data: { ...objectOf(rest.data), ...Object.fromEntries(encoded) } }
}

function namespace(value: JsonObject): JsonObject {
  const metadata = objectOf(value.metadata)
  const name = textOf(metadata.name)
  if (name === '') return value
  return {
    ...value,
    metadata: { ...metadata, labels: { ...objectOf(metadata.labels), 'kubernetes.io/metadata.name': name } },
  }
}

function podStatus(value: JsonObject): JsonObject {
  const ip = textOf(value.podIP)
  const first = textOf(objectOf(listOf(value.podIPs)[0]).ip)
  if (ip !== '' && ip !== first) return { ...value, podIPs: [{ ip }] }
  return ip === '' && first !== '' ? { ...value, podIP: first } : value
}

const nodeStatus = (value: JsonObject): JsonObject =>
  isObject(value.capacity) ? given(value, { allocatable: clone(value.capacity) }) : value

const mode = (value: JsonObject): JsonObject => absent(value, { defaultMode: 0o644 })

/** Kubernetes' pkg/apis/core/v1/defaults.go, by the name of the Go type. */
export const coreDefaults: TypeDefaults = {
  Container: container,
  EphemeralContainer: container,
  PodSpec: podSpec,
  Pod: pod,
  PodStatus: podStatus,
  Volume: volume,
  Probe: (value) => given(value, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }),
  HTTPGetAction: (value) => given(value, { path: '/', scheme: 'HTTP' }),
  SecretVolumeSource: mode,
  ConfigMapVolumeSource: mode,
  DownwardAPIVolumeSource: mode,
  ProjectedVolumeSource: mode,
  ServiceAccountTokenProjection: (value) => absent(value, { expirationSeconds: 3600 }),
  HostPathVolumeSource: (value) => ({ type: '', ...value }),
  ObjectFieldSelector: (value) => given(value, { apiVersion: 'v1' }),
  ContainerPort: (value) => given(value, { protocol: 'TCP' }),
  ServicePort: servicePort,
  Service: service,
  Secret: secret,
  Namespace: namespace,
  NamespaceStatus: (value) => given(value, { phase: 'Active' }),
  NodeStatus: nodeStatus,
  PersistentVolume: (value) => ({
    ...value,
    spec: given(objectOf(value.spec), { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' }),
    status: given(objectOf(value.status), { phase: 'Pending' }),
  }),
  PersistentVolumeClaimSpec: (value) => given(value, { volumeMode: 'Filesystem' }),
  PersistentVolumeClaim: (value) => ({ ...value, status: given(objectOf(value.status), { phase: 'Pending' }) }),
}
