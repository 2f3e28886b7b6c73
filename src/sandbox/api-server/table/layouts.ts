import { byCodePoint } from '../go-text.ts'
import { at, type JsonObject, type JsonValue, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { since } from './human-duration.ts'
import { podCells, podConditions } from './pod-cells.ts'
import { labelsText, selectorText } from './selector-text.ts'
import { nameColumn, type TableColumn, type TableLayout } from './table.ts'

type Cells = (object: JsonObject, now: number) => JsonValue[]

const age = (object: JsonObject, now: number): string => since(at(object, 'metadata', 'creationTimestamp'), now)
const count = (value: JsonValue | undefined): number => Object.keys(objectOf(value)).length
const status = (object: JsonObject, name: string): number => numberOf(at(object, 'status', name))
const desired = (object: JsonObject): number => numberOf(at(object, 'spec', 'replicas'))
const textAt = (object: JsonObject, ...path: string[]): string => textOf(at(object, ...path))

function template(object: JsonObject): JsonValue[] {
  const containers = listOf(at(object, 'spec', 'template', 'spec', 'containers'))
  return ['name', 'image'].map((field) => containers.map((container) => textOf(at(container, field))).join(','))
}

const selector = (object: JsonObject): string => selectorText(at(object, 'spec', 'selector')) || '<none>'

function externalAddress({ spec, status: balanced }: JsonObject): string {
  const { type, externalIPs, externalName } = objectOf(spec)
  if (type === 'ExternalName') return textOf(externalName)
  const given = listOf(externalIPs).map(textOf)
  if (type !== 'LoadBalancer') return given.join(',') || '<none>'
  const ingress = listOf(at(balanced, 'loadBalancer', 'ingress'))
  const addresses = ingress.map((entry) => textOf(at(entry, 'ip')) || textOf(at(entry, 'hostname')))
  return [...addresses, ...given].join(',') || '<pending>'
}

function portText(entry: JsonValue): string {
  const { port, nodePort, protocol } = objectOf(entry)
  return `${numberOf(port)}${numberOf(nodePort) > 0 ? `:${numberOf(nodePort)}` : ''}/${textOf(protocol)}`
}

const ROLE = 'node-role.kubernetes.io/'

function nodeCells(node: JsonObject, now: number): JsonValue[] {
  const { kubeletVersion, osImage, kernelVersion, architecture, containerRuntimeVersion } = objectOf(
    at(node, 'status', 'nodeInfo'),
  )
  const labels = Object.keys(objectOf(at(node, 'metadata', 'labels')))
  const roles = labels.filter((name) => name.startsWith(ROLE)).map((name) => name.slice(ROLE.length))
  const ready = listOf(at(node, 'status', 'conditions')).find((entry) => at(entry, 'type') === 'Ready')
  const state = ready === undefined ? 'Unknown' : at(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  const addresses = listOf(at(node, 'status', 'addresses')).map(objectOf)
  const address = (type: string): string => textOf(addresses.find((one) => one.type === type)?.address) || '<none>'
  const known = (value: JsonValue | undefined): string => textOf(value) || '<unknown>'
  return [
    at(node, 'spec', 'unschedulable') === true ? `${state},SchedulingDisabled` : state,
    roles.sort(byCodePoint).join(',') || '<none>',
    age(node, now),
    textOf(kubeletVersion),
    address('InternalIP'),
    address('ExternalIP'),
    known(osImage),
    known(kernelVersion) + (textOf(architecture) === '' ? '' : ` (${textOf(architecture)})`),
    known(containerRuntimeVersion),
  ]
}

function eventCells(event: JsonObject, now: number): JsonValue[] {
  const { involvedObject, source, series } = event
  const first = since(event.firstTimestamp ?? event.eventTime, now)
  const last = at(series, 'lastObservedTime') ?? event.lastTimestamp
  const name = textOf(at(involvedObject, 'name'))
  const host = textOf(at(source, 'host')) || textOf(event.reportingInstance)
  const component = textOf(at(source, 'component')) || textOf(event.reportingComponent)
  return [
    last === undefined || last === null ? first : since(last, now),
    textOf(event.type),
    textOf(event.reason),
    textOf(at(involvedObject, 'kind')).toLowerCase() + (name === '' ? '' : `/${name}`),
    textOf(at(involvedObject, 'fieldPath')),
    host === '' ? component : `${component}, ${host}`,
    textOf(event.message).trim(),
    first,
    numberOf(at(series, 'count') ?? event.count) || 1,
    textAt(event, 'metadata', 'name'),
  ]
}

function definitionCells({ metadata, spec, status: state }: JsonObject): JsonValue[] {
  const served = listOf(at(spec, 'versions')).map(objectOf)
  const versions = served
    .filter((version) => version.served === true)
    .map((version) => textOf(version.name) + (version.storage === true ? '(storage)' : ''))
  return [
    textOf(at(spec, 'scope')),
    versions.sort(byCodePoint).join(','),
    textOf(at(metadata, 'creationTimestamp')),
    textOf(at(spec, 'group')),
    textOf(at(spec, 'names', 'kind')),
    listOf(at(spec, 'names', 'shortNames'))
      .map(textOf)
      .join(','),
    listOf(at(state, 'conditions')).some(
      (condition) => at(condition, 'type') === 'Established' && at(condition, 'status') === 'True',
    ),
  ]
}

const daemonCounts =
  'desiredNumberScheduled currentNumberScheduled numberReady updatedNumberScheduled numberAvailable'.split(' ')

const webhooks: [string, Cells] = [
  'Webhooks:integer|Age',
  (object, now) => [listOf(object.webhooks).length, age(object, now)],
]

/**
 * For each kind with more columns than NAME and AGE: the columns after NAME, and their cells. `Desired:integer` sets a
 * type other than text; `Node*` is shown only with `-o wide`.
 */
const layouts: Readonly<Record<string, [columns: string, cells: Cells]>> = {
  'v1 Pod': ['Ready|Status|Restarts|Age|IP*|Node*|Nominated Node*|Readiness Gates*', podCells],
  'v1 Service': [
    'Type|Cluster-IP|External-IP|Port(s)|Age|Selector*',
    (object, now) => [
      textAt(object, 'spec', 'type'),
      textOf(at(object, 'spec', 'clusterIPs', 0)) || '<none>',
      externalAddress(object),
      listOf(at(object, 'spec', 'ports'))
        .map(portText)
        .join(',') || '<none>',
      age(object, now),
      labelsText(at(object, 'spec', 'selector')),
    ],
  ],
  'v1 Node': [
    'Status|Roles|Age|Version|Internal-IP*|External-IP*|OS-Image*|Kernel-Version*|Container-Runtime*',
    nodeCells,
  ],
  'v1 Namespace': ['Status|Age', (object, now) => [textAt(object, 'status', 'phase'), age(object, now)]],
  'v1 ConfigMap': ['Data|Age', (object, now) => [count(object.data) + count(object.binaryData), age(object, now)]],
  'v1 Secret': ['Type|Data|Age', (object, now) => [textOf(object.type), count(object.data), age(object, now)]],
  'v1 Event': ['Last Seen|Type|Reason|Object|Subobject*|Source*|Message|First Seen*|Count*|Name*', eventCells],
  'apps/v1 Deployment': [
    'Ready|Up-to-date|Available|Age|Containers*|Images*|Selector*',
    (object, now) => [
      `${status(object, 'readyReplicas')}/${desired(object)}`,
      status(object, 'updatedReplicas'),
      status(object, 'availableReplicas'),
      age(object, now),
      ...template(object),
      selector(object),
    ],
  ],
  'apps/v1 ReplicaSet': [
    'Desired:integer|Current:integer|Ready:integer|Age|Containers*|Images*|Selector*',
    (object, now) => [
      desired(object),
      status(object, 'replicas'),
      status(object, 'readyReplicas'),
      age(object, now),
      ...template(object),
      selector(object),
    ],
  ],
  'apps/v1 StatefulSet': [
    'Ready|Age|Containers*|Images*',
    (object, now) => [`${status(object, 'readyReplicas')}/${desired(object)}`, age(object, now), ...template(object)],
  ],
  'apps/v1 DaemonSet': [
    'Desired:integer|Current:integer|Ready:integer|Up-to-date:integer|Available:integer|Node Selector|Age|Containers*|Images*|Selector*',
    (object, now) => [
      ...daemonCounts.map((name) => status(object, name)),
      labelsText(at(object, 'spec', 'template', 'spec', 'nodeSelector')),
      age(object, now),
      ...template(object),
      selector(object),
    ],
  ],
  'coordination.k8s.io/v1 Lease': [
    'Holder|Age',
    (object, now) => [textAt(object, 'spec', 'holderIdentity'), age(object, now)],
  ],
  'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration': webhooks,
  'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration': webhooks,
  'apiextensions.k8s.io/v1 CustomResourceDefinition': [
    'Scope|Versions|Created At:date|Group*|Kind*|ShortNames*|Established:boolean*',
    definitionCells,
  ],
}

function columnOf(text: string): TableColumn {
  const [, name = '', type = 'string', wide] = /^(.*?)(?::(\w+))?(\*)?$/.exec(text) ?? []
  return { name, type, format: '', description: name, priority: wide === undefined ? 0 : 1 }
}

/** The server's table of a built-in kind. A kind without a layout has the columns NAME and AGE. */
export function builtInLayout(apiVersion: string, kind: string): TableLayout {
  const [columns, cells] = layouts[`${apiVersion} ${kind}`] ?? ['Age', (object, now) => [age(object, now)]]
  const isEvent = kind === 'Event'
  return {
    columns: [...(isEvent ? [] : [nameColumn]), ...columns.split('|').map(columnOf)],
    cells: (object, now) => [...(isEvent ? [] : [textAt(object, 'metadata', 'name')]), ...cells(object, now)],
    ...(kind === 'Pod' ? { conditions: podConditions } : {}),
  }
}
