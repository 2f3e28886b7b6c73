import { byCodePoint } from '../go-text.ts'
import { at, type JsonObject, type JsonValue, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { AGE, NAME } from './columns.ts'
import { since } from './human-duration.ts'
import { labelsText } from './selector-text.ts'
import { ageOf, layout, nameOf } from './workload-layouts.ts'

const MOST_SHOWN = 3

/** The first three of a list, and how many more there are. */
function withMore(texts: readonly string[], none: string): string {
  const shown = texts.slice(0, MOST_SHOWN).join(',')
  return texts.length > MOST_SHOWN ? `${shown} + ${texts.length - MOST_SHOWN} more...` : shown || none
}

function externalAddress(service: JsonObject): string {
  const spec = objectOf(service.spec)
  const given = listOf(spec.externalIPs).map(textOf)
  const balanced = listOf(at(service, 'status', 'loadBalancer', 'ingress')).map(
    (entry) => textOf(at(entry, 'ip')) || textOf(at(entry, 'hostname')),
  )
  switch (spec.type) {
    case 'ClusterIP':
    case 'NodePort':
      return given.join(',') || '<none>'
    case 'LoadBalancer':
      return (
        [...[...new Set(balanced)].filter((text) => text !== '').sort(byCodePoint), ...given].join(',') || '<pending>'
      )
    case 'ExternalName':
      return textOf(spec.externalName)
    default:
      return '<unknown>'
  }
}

const portsText = (ports: readonly JsonValue[]): string =>
  ports
    .map((entry) => {
      const { port, nodePort, protocol } = objectOf(entry)
      return `${numberOf(port)}${numberOf(nodePort) > 0 ? `:${numberOf(nodePort)}` : ''}/${textOf(protocol)}`
    })
    .join(',')

export const serviceLayout = layout(
  'v1',
  'Service',
  [
    NAME,
    ['Type', 'string', 'spec.type'],
    ['Cluster-IP', 'string', 'spec.clusterIP'],
    ['External-IP', 'string', 'spec.externalIPs'],
    ['Port(s)', 'string', 'spec.ports'],
    AGE,
    ['Selector', 'string', 'spec.selector', 1],
  ],
  (object, now) => [
    nameOf(object),
    textOf(at(object, 'spec', 'type')),
    textOf(at(object, 'spec', 'clusterIPs', 0)) || '<none>',
    externalAddress(object),
    portsText(listOf(at(object, 'spec', 'ports'))) || '<none>',
    ageOf(object, now),
    labelsText(at(object, 'spec', 'selector')),
  ],
)

const ROLE = 'node-role.kubernetes.io/'

function nodeRoles(node: JsonObject): string {
  const roles = Object.entries(objectOf(at(node, 'metadata', 'labels'))).flatMap(([name, value]) => {
    if (name.startsWith(ROLE)) return [name.slice(ROLE.length)]
    return name === 'kubernetes.io/role' ? [textOf(value)] : []
  })
  return (
    [...new Set(roles)]
      .filter((role) => role !== '')
      .sort(byCodePoint)
      .join(',') || '<none>'
  )
}

function nodeStatus(node: JsonObject): string {
  const ready = listOf(at(node, 'status', 'conditions')).find((entry) => at(entry, 'type') === 'Ready')
  const state = ready === undefined ? 'Unknown' : at(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  return at(node, 'spec', 'unschedulable') === true ? `${state},SchedulingDisabled` : state
}

const nodeAddress = (node: JsonObject, type: string): string =>
  textOf(
    at(
      listOf(at(node, 'status', 'addresses')).find((entry) => at(entry, 'type') === type),
      'address',
    ),
  ) || '<none>'

export const nodeLayout = layout(
  'v1',
  'Node',
  [
    NAME,
    ['Status', 'string', 'The status of the node'],
    ['Roles', 'string', 'The roles of the node'],
    AGE,
    ['Version', 'string', 'status.nodeInfo.kubeletVersion'],
    ['Internal-IP', 'string', 'status.addresses', 1],
    ['External-IP', 'string', 'status.addresses', 1],
    ['OS-Image', 'string', 'status.nodeInfo.osImage', 1],
    ['Kernel-Version', 'string', 'status.nodeInfo.kernelVersion', 1],
    ['Container-Runtime', 'string', 'status.nodeInfo.containerRuntimeVersion', 1],
  ],
  (object, now) => {
    const info = objectOf(at(object, 'status', 'nodeInfo'))
    const known = (name: string) => textOf(info[name]) || '<unknown>'
    const architecture = textOf(info.architecture)
    return [
      nameOf(object),
      nodeStatus(object),
      nodeRoles(object),
      ageOf(object, now),
      textOf(info.kubeletVersion),
      nodeAddress(object, 'InternalIP'),
      nodeAddress(object, 'ExternalIP'),
      known('osImage'),
      known('kernelVersion') + (architecture === '' ? '' : ` (${architecture})`),
      known('containerRuntimeVersion'),
    ]
  },
)

export const namespaceLayout = layout(
  'v1',
  'Namespace',
  [NAME, ['Status', 'string', 'The status of the namespace'], AGE],
  (object, now) => [nameOf(object), textOf(at(object, 'status', 'phase')), ageOf(object, now)],
)

const count = (value: JsonValue | undefined): number => Object.keys(objectOf(value)).length

export const configMapLayout = layout('v1', 'ConfigMap', [NAME, ['Data', 'string', 'data'], AGE], (object, now) => [
  nameOf(object),
  count(object.data) + count(object.binaryData),
  ageOf(object, now),
])

export const secretLayout = layout(
  'v1',
  'Secret',
  [NAME, ['Type', 'string', 'type'], ['Data', 'string', 'data'], AGE],
  (object, now) => [nameOf(object), textOf(object.type), count(object.data), ageOf(object, now)],
)

export const serviceAccountLayout = layout('v1', 'ServiceAccount', [NAME, AGE], (object, now) => [
  nameOf(object),
  ageOf(object, now),
])

function subsetTexts(subset: JsonValue): string[] {
  const addresses = listOf(at(subset, 'addresses')).map((entry) => textOf(at(entry, 'ip')))
  const ports = listOf(at(subset, 'ports'))
  if (ports.length === 0) return addresses
  const host = (address: string) => (address.includes(':') ? `[${address}]` : address)
  return ports.flatMap((port) => addresses.map((address) => `${host(address)}:${numberOf(at(port, 'port'))}`))
}

export const endpointsLayout = layout(
  'v1',
  'Endpoints',
  [NAME, ['Endpoints', 'string', 'subsets'], AGE],
  (object, now) => [
    nameOf(object),
    withMore(listOf(object.subsets).flatMap(subsetTexts), listOf(object.subsets).length === 0 ? '<none>' : ''),
    ageOf(object, now),
  ],
)

export const endpointSliceLayout = layout(
  'discovery.k8s.io/v1',
  'EndpointSlice',
  [
    NAME,
    ['AddressType', 'string', 'addressType'],
    ['Ports', 'string', 'ports'],
    ['Endpoints', 'string', 'endpoints'],
    AGE,
  ],
  (object, now) => {
    const ports = listOf(object.ports).map((entry) => {
      const { port, name } = objectOf(entry)
      return typeof port === 'number' ? String(port) : typeof name === 'string' ? name : '*'
    })
    const addresses = listOf(object.endpoints).flatMap((entry) => listOf(at(entry, 'addresses')).map(textOf))
    return [
      nameOf(object),
      textOf(object.addressType),
      withMore(ports, '<unset>'),
      withMore(addresses, '<unset>'),
      ageOf(object, now),
    ]
  },
)

function eventSource(event: JsonObject): string {
  const component = textOf(at(event, 'source', 'component')) || textOf(event.reportingComponent)
  const instance = textOf(at(event, 'source', 'host')) || textOf(event.reportingInstance)
  return instance === '' ? component : `${component}, ${instance}`
}

function eventTimes(event: JsonObject, now: number): { first: string; last: string; count: number } {
  const first =
    typeof event.firstTimestamp === 'string' ? since(event.firstTimestamp, now) : since(event.eventTime, now)
  const series = event.series
  if (typeof series === 'object' && series !== null)
    return { first, last: since(at(series, 'lastObservedTime'), now), count: numberOf(at(series, 'count')) }
  const last = typeof event.lastTimestamp === 'string' ? since(event.lastTimestamp, now) : first
  return { first, last, count: numberOf(event.count) || 1 }
}

/** Events of events.k8s.io carry the fields of core events under other names. */
function asCoreEvent(event: JsonObject): JsonObject {
  if (event.apiVersion !== 'events.k8s.io/v1') return event
  return {
    ...event,
    involvedObject: event.regarding ?? {},
    message: event.note ?? '',
    source: event.deprecatedSource ?? {},
    firstTimestamp: event.deprecatedFirstTimestamp,
    lastTimestamp: event.deprecatedLastTimestamp,
    count: event.deprecatedCount,
    reportingComponent: event.reportingController,
  }
}

export const eventLayout = layout(
  'v1',
  'Event',
  [
    ['Last Seen', 'string', 'lastTimestamp'],
    ['Type', 'string', 'type'],
    ['Reason', 'string', 'reason'],
    ['Object', 'string', 'involvedObject'],
    ['Subobject', 'string', 'involvedObject.fieldPath', 1],
    ['Source', 'string', 'source', 1],
    ['Message', 'string', 'message'],
    ['First Seen', 'string', 'firstTimestamp', 1],
    ['Count', 'string', 'count', 1],
    ['Name', 'string', 'metadata.name', 1],
  ],
  (object, now) => {
    const event = asCoreEvent(object)
    const { first, last, count: times } = eventTimes(event, now)
    const { kind, name, fieldPath } = objectOf(event.involvedObject)
    const target = textOf(kind).toLowerCase() + (textOf(name) === '' ? '' : `/${textOf(name)}`)
    const message = textOf(event.message).trim()
    return [
      last,
      textOf(event.type),
      textOf(event.reason),
      target,
      textOf(fieldPath),
      eventSource(event),
      message,
      first,
      times,
      nameOf(event),
    ]
  },
)
