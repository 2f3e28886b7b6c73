import { byCodePoint } from '../go-text.ts'
import { at, type JsonObject, type JsonValue, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { AGE, type ColumnSpec, NAME, plainColumns } from './columns.ts'
import {
  configMapLayout,
  endpointSliceLayout,
  endpointsLayout,
  eventLayout,
  namespaceLayout,
  nodeLayout,
  secretLayout,
  serviceAccountLayout,
  serviceLayout,
} from './core-layouts.ts'
import { podLayout } from './pod-layout.ts'
import type { TableLayout } from './table.ts'
import {
  ageOf,
  controllerRevisionLayout,
  cronJobLayout,
  daemonSetLayout,
  deploymentLayout,
  jobLayout,
  layout,
  nameOf,
  replicaSetLayout,
  statefulSetLayout,
} from './workload-layouts.ts'

const RBAC = 'rbac.authorization.k8s.io/v1'

const createdAt = (apiVersion: string, kind: string, description: string) =>
  layout(apiVersion, kind, [NAME, ['Created At', 'date', description]], (object) => [
    nameOf(object),
    textOf(at(object, 'metadata', 'creationTimestamp')),
  ])

function subjects(binding: JsonObject): [string, string, string] {
  const of = (kind: string) =>
    listOf(binding.subjects)
      .map(objectOf)
      .filter((subject) => subject.kind === kind)
      .map((subject) =>
        kind === 'ServiceAccount' ? `${textOf(subject.namespace)}/${textOf(subject.name)}` : textOf(subject.name),
      )
      .join(', ')
  return [of('User'), of('Group'), of('ServiceAccount')]
}

/** The server takes these from an older version of the API. */
const roleDescriptions: Readonly<Record<string, string>> = {
  RoleBinding:
    'roleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.',
  ClusterRoleBinding:
    'roleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.',
}

const lowered = (kind: string): string => kind.charAt(0).toLowerCase() + kind.slice(1)

const binding = (kind: string) =>
  layout(
    RBAC,
    kind,
    [
      NAME,
      ['Role', 'string', roleDescriptions[kind] ?? 'roleRef'],
      AGE,
      ['Users', 'string', `Users in the ${lowered(kind)}`, 1],
      ['Groups', 'string', `Groups in the ${lowered(kind)}`, 1],
      ['ServiceAccounts', 'string', `ServiceAccounts in the ${lowered(kind)}`, 1],
    ],
    (object, now) => [
      nameOf(object),
      `${textOf(at(object, 'roleRef', 'kind'))}/${textOf(at(object, 'roleRef', 'name'))}`,
      ageOf(object, now),
      ...subjects(object),
    ],
  )

const webhooks = (kind: string) =>
  layout(
    'admissionregistration.k8s.io/v1',
    kind,
    [NAME, ['Webhooks', 'integer', 'Webhooks indicates the number of webhooks registered in this configuration'], AGE],
    (object, now) => [nameOf(object), listOf(object.webhooks).length, ageOf(object, now)],
  )

const lease = layout(
  'coordination.k8s.io/v1',
  'Lease',
  [NAME, ['Holder', 'string', 'spec.holderIdentity'], AGE],
  (object, now) => [nameOf(object), textOf(at(object, 'spec', 'holderIdentity')), ageOf(object, now)],
)

const orNotApplicable = (value: JsonValue | undefined): string =>
  value === undefined || value === null ? 'N/A' : String(value)

const podDisruptionBudget = layout(
  'policy/v1',
  'PodDisruptionBudget',
  [
    NAME,
    ['Min Available', 'string', 'The minimum number of pods that must be available.'],
    ['Max Unavailable', 'string', 'The maximum number of pods that may be unavailable.'],
    ['Allowed Disruptions', 'integer', 'Calculated number of pods that may be disrupted at this time.'],
    AGE,
  ],
  (object, now) => [
    nameOf(object),
    orNotApplicable(at(object, 'spec', 'minAvailable')),
    orNotApplicable(at(object, 'spec', 'maxUnavailable')),
    numberOf(at(object, 'status', 'disruptionsAllowed')),
    ageOf(object, now),
  ],
)

const priorityClass = layout(
  'scheduling.k8s.io/v1',
  'PriorityClass',
  [
    NAME,
    ['Value', 'integer', 'value'],
    ['Global-Default', 'boolean', 'globalDefault'],
    AGE,
    ['PreemptionPolicy', 'string', 'preemptionPolicy'],
  ],
  (object, now) => [
    nameOf(object),
    numberOf(object.value),
    object.globalDefault === true,
    ageOf(object, now),
    textOf(object.preemptionPolicy),
  ],
)

const runtimeClass = layout(
  'node.k8s.io/v1',
  'RuntimeClass',
  [NAME, ['Handler', 'string', 'metadata.handler'], AGE],
  (object, now) => [nameOf(object), textOf(object.handler), ageOf(object, now)],
)

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class'

const storageClass = layout(
  'storage.k8s.io/v1',
  'StorageClass',
  [
    NAME,
    ['Provisioner', 'string', 'provisioner'],
    ['ReclaimPolicy', 'string', 'reclaimPolicy'],
    ['VolumeBindingMode', 'string', 'volumeBindingMode'],
    ['AllowVolumeExpansion', 'string', 'allowVolumeExpansion'],
    AGE,
  ],
  (object, now) => {
    const isDefault = at(object, 'metadata', 'annotations', DEFAULT_CLASS) === 'true'
    return [
      nameOf(object) + (isDefault ? ' (default)' : ''),
      textOf(object.provisioner),
      textOf(object.reclaimPolicy) || 'Delete',
      textOf(object.volumeBindingMode) || 'Immediate',
      object.allowVolumeExpansion === true,
      ageOf(object, now),
    ]
  },
)

function servedVersions(definition: JsonObject): string {
  const served = listOf(at(definition, 'spec', 'versions'))
    .map(objectOf)
    .filter((version) => version.served === true)
  const texts = served.map((version) => textOf(version.name) + (version.storage === true ? '(storage)' : ''))
  return texts.sort(byCodePoint).join(',')
}

const customResourceDefinition = layout(
  'apiextensions.k8s.io/v1',
  'CustomResourceDefinition',
  [
    NAME,
    ['Scope', 'string', 'Cluster/Namespaced'],
    ['Versions', 'string', 'Served versions'],
    ['Created At', 'date', 'metadata.creationTimestamp'],
    ['Group', 'string', 'API group', 1],
    ['Kind', 'string', 'CustomResource kind', 1],
    ['ShortNames', 'string', 'Short names', 1],
    ['Established', 'boolean', 'Established status', 1],
  ],
  (object) => [
    nameOf(object),
    textOf(at(object, 'spec', 'scope')),
    servedVersions(object),
    textOf(at(object, 'metadata', 'creationTimestamp')),
    textOf(at(object, 'spec', 'group')),
    textOf(at(object, 'spec', 'names', 'kind')),
    listOf(at(object, 'spec', 'names', 'shortNames'))
      .map(textOf)
      .join(','),
    listOf(at(object, 'status', 'conditions')).some(
      (condition) => at(condition, 'type') === 'Established' && at(condition, 'status') === 'True',
    ),
  ],
)

/** Longer than this, addresses are cut (kubernetes, pkg/printers). */
const longestAddresses = 16

function ingressAddresses(ingress: JsonObject): string {
  const entries = listOf(at(ingress, 'status', 'loadBalancer', 'ingress'))
  const names = entries.map((entry) => textOf(at(entry, 'ip')) || textOf(at(entry, 'hostname')))
  const text = [...new Set(names.filter((name) => name !== ''))].sort().join(',')
  return text.length > longestAddresses ? `${text.slice(0, longestAddresses - 3)}...` : text
}

function ingressHosts(ingress: JsonObject): string {
  const most = 3
  const hosts = listOf(at(ingress, 'spec', 'rules')).map((rule) => textOf(at(rule, 'host')))
  const shown = hosts.filter((host) => host !== '').slice(0, most)
  if (shown.length === 0) return '*'
  const more = hosts.filter((host) => host !== '').length - shown.length
  return more > 0 ? `${shown.join(',')} + ${more} more...` : shown.join(',')
}

const ingress = layout(
  'networking.k8s.io/v1',
  'Ingress',
  [
    NAME,
    ['Class', 'string', 'The name of the IngressClass resource that should be used for additional configuration'],
    ['Hosts', 'string', 'Hosts that incoming requests are matched against before the ingress rule'],
    ['Address', 'string', 'Address is a list containing ingress points for the load-balancer'],
    ['Ports', 'string', 'Ports of TLS configurations that open'],
    AGE,
  ],
  (object, now) => [
    nameOf(object),
    textOf(at(object, 'spec', 'ingressClassName')) || '<none>',
    ingressHosts(object),
    ingressAddresses(object),
    listOf(at(object, 'spec', 'tls')).length > 0 ? '80, 443' : '80',
    ageOf(object, now),
  ],
)

const layouts: Readonly<Record<string, () => TableLayout>> = {
  'v1 Pod': podLayout,
  'v1 Service': serviceLayout,
  'v1 Node': nodeLayout,
  'v1 Namespace': namespaceLayout,
  'v1 ConfigMap': configMapLayout,
  'v1 Secret': secretLayout,
  'v1 ServiceAccount': serviceAccountLayout,
  'v1 Endpoints': endpointsLayout,
  'v1 Event': eventLayout,
  'events.k8s.io/v1 Event': eventLayout,
  'apps/v1 Deployment': deploymentLayout,
  'apps/v1 ReplicaSet': replicaSetLayout,
  'apps/v1 StatefulSet': statefulSetLayout,
  'apps/v1 DaemonSet': daemonSetLayout,
  'apps/v1 ControllerRevision': controllerRevisionLayout,
  'batch/v1 Job': jobLayout,
  'batch/v1 CronJob': cronJobLayout,
  'discovery.k8s.io/v1 EndpointSlice': endpointSliceLayout,
  'coordination.k8s.io/v1 Lease': lease,
  [`${RBAC} Role`]: createdAt(RBAC, 'Role', 'metadata.creationTimestamp'),
  [`${RBAC} ClusterRole`]: createdAt(RBAC, 'ClusterRole', 'metadata.creationTimestamp'),
  [`${RBAC} RoleBinding`]: binding('RoleBinding'),
  [`${RBAC} ClusterRoleBinding`]: binding('ClusterRoleBinding'),
  'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration': webhooks('MutatingWebhookConfiguration'),
  'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration': webhooks('ValidatingWebhookConfiguration'),
  'apiextensions.k8s.io/v1 CustomResourceDefinition': customResourceDefinition,
  'networking.k8s.io/v1 Ingress': ingress,
  'policy/v1 PodDisruptionBudget': podDisruptionBudget,
  'scheduling.k8s.io/v1 PriorityClass': priorityClass,
  'node.k8s.io/v1 RuntimeClass': runtimeClass,
  'storage.k8s.io/v1 StorageClass': storageClass,
}

const AGE_ONLY: ColumnSpec[] = [NAME, AGE]

/** How the server shows a built-in kind; kinds without a layout of their own have NAME and AGE. */
export function builtInLayout(apiVersion: string, kind: string): TableLayout {
  const known = layouts[`${apiVersion} ${kind}`]
  return known?.() ?? { columns: plainColumns(AGE_ONLY), cells: (object, now) => [nameOf(object), ageOf(object, now)] }
}
