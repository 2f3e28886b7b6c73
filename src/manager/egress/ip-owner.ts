import type { EgressGroup } from '../../api/types.ts'
import type { Random } from '../../base/random.ts'
import type { KubeObject, ObjectMeta } from '../../kube/objects.ts'
import { defineResource } from '../../kube/resources.ts'
import { parseAddress } from '../../profile/bpf/ip-address.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'

/**
 * A Pod, a Service or an EndpointSlice. Only its addresses, its name and its labels are kept, because a cluster may
 * have hundreds of thousands of them.
 */
export interface IpOwner extends KubeObject {
  groups: readonly AddressedGroup[]
  /**
   * Random number, new for each change of the addresses. Two targets with equal sums of marks have the same objects.
   */
  mark: number
  /** Number of addresses that were left out, because one ArmorProfile cannot hold so many. */
  beyond?: number
}

export interface AddressedGroup extends EgressGroup {
  /** The author of the Service chose these addresses. Kubernetes does not check that they belong to the Service. */
  claimed?: true
}

const addressed = (group: string, plural: string, kind: string) =>
  defineResource<IpOwner>({ group, version: 'v1', plural, kind, namespaced: true })

export const pods = addressed('', 'pods', 'Pod')
export const services = addressed('', 'services', 'Service')
export const endpointSlices = addressed('discovery.k8s.io', 'endpointslices', 'EndpointSlice')

/**
 * Excludes finished pods, because other pods may get their addresses. When a pod finishes, a watch with this selector
 * reports it as deleted.
 */
export const alivePods = 'status.phase!=Succeeded,status.phase!=Failed'

const serviceLabel = 'kubernetes.io/service-name'

/** `namespace/name` of an EndpointSlice's Service; undefined if the EndpointSlice has no Service. */
export function serviceOf({ metadata }: KubeObject): string | undefined {
  const name = metadata?.labels?.[serviceLabel]
  return name === undefined ? undefined : `${metadata?.namespace}/${name}`
}

export const namespaceOf = ({ metadata }: IpOwner): string => metadata?.namespace ?? ''

interface PodFields {
  status?: { podIPs?: readonly { ip?: string }[] }
}

interface ServiceFields {
  spec?: {
    clusterIPs?: readonly string[]
    externalIPs?: readonly string[]
    ports?: readonly { port?: number }[]
  }
  status?: { loadBalancer?: { ingress?: readonly { ip?: string }[] } }
}

interface SliceFields {
  endpoints?: readonly { addresses?: readonly string[] }[] | null
  ports?: readonly { port?: number | null }[] | null
}

/**
 * Reduces objects to their addresses, names and labels. Objects with equal labels, such as the pods of a workload,
 * share one copy of the labels.
 */
export class Slimmer {
  readonly #random: Random
  #labels = new Map<string, Readonly<Record<string, string>>>()

  constructor(random: Random = Math.random) {
    this.#random = random
  }

  readonly pod = (object: IpOwner): IpOwner => {
    const { podIPs = [] } = (object as PodFields).status ?? {}
    return this.#slim(object, [group(podIPs.map(({ ip }) => ip))])
  }

  /**
   * The kernel checks the egress rules before it redirects a packet from the Service to an endpoint. So the Service's
   * own addresses count, too.
   */
  readonly service = (object: IpOwner): IpOwner => {
    const { spec = {}, status = {} } = object as unknown as ServiceFields
    const { clusterIPs = [], externalIPs = [], ports = [] } = spec
    const balanced = (status.loadBalancer?.ingress ?? []).map(({ ip }) => ip)
    // Several Services may share an external or load balancer address on different ports, so these addresses count only
    // with the Service's ports. Load balancer addresses are not claims: only controllers may write them.
    const numbers = numbersOf(ports)
    const outer = group(externalIPs, numbers)
    const claimed = { ...outer, group: { ...outer.group, claimed: true } } as const
    return this.#slim(object, [group(clusterIPs), claimed, group(balanced, numbers)])
  }

  readonly slice = (object: IpOwner): IpOwner => {
    const { endpoints, ports } = object as unknown as SliceFields
    const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? [])
    return this.#slim(object, [group(addresses, numbersOf(ports ?? []))])
  }

  #slim({ kind, metadata = {} }: IpOwner, groups: readonly SlimGroup[]): IpOwner {
    const { name, namespace, uid, resourceVersion, labels = {} } = metadata
    return {
      ...(kind !== undefined && { kind }),
      metadata: { name, namespace, uid, resourceVersion, labels: this.#shared(labels) } as ObjectMeta,
      ...bounded(groups),
      mark: Math.floor(this.#random() * MARKS),
    }
  }

  #shared(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const key = JSON.stringify(labels)
    // Do not share long labels: other objects rarely have the same labels, and the map would keep the long text.
    if (key.length > MAX_SHARED) return labels
    const known = this.#labels.get(key)
    if (known !== undefined) return known
    // Limit the map by starting an empty map. The objects keep the labels that they already share.
    if (this.#labels.size >= maxKnownLabels) this.#labels = new Map()
    this.#labels.set(key, labels)
    return labels
  }
}

/** Maximum length of labels that an outline keeps, in characters of JSON. */
const SHORT_LABELS = 1_024

/**
 * Reduces an object that does not fit into the manager's memory. Its addresses only count as left out. Short labels are
 * kept, because they tell from which targets the addresses are missing.
 */
export function outlineOfAddressed({ kind, metadata, groups, mark, beyond = 0 }: IpOwner): IpOwner {
  const { name, namespace, uid, resourceVersion, labels = {} } = metadata ?? {}
  const service = labels[serviceLabel]
  const isShort = JSON.stringify(labels).length <= SHORT_LABELS
  const kept = isShort ? labels : service === undefined ? {} : { [serviceLabel]: service }
  const omitted = groups.reduce((sum, { addresses }) => sum + addresses.length, beyond)
  return {
    ...(kind !== undefined && { kind }),
    metadata: { name, namespace, uid, resourceVersion, labels: kept } as ObjectMeta,
    ...{ groups: [], mark },
    ...(omitted > 0 && { beyond: omitted }),
  }
}

const maxKnownLabels = 20_000
const MAX_SHARED = 2_048
const MARKS = 2 ** 52

/** A group with as many addresses as one ArmorProfile can hold; `beyond` counts further addresses. */
interface SlimGroup {
  group: AddressedGroup
  beyond: number
}

function bounded(all: readonly SlimGroup[]): Pick<IpOwner, 'groups' | 'beyond'> {
  let left = MAX_EGRESS_ADDRESSES
  let omitted = 0
  const groups: AddressedGroup[] = []
  for (const { group, beyond } of all) {
    const { addresses, ports = [] } = group
    const some = ports.length > MAX_EGRESS_ADDRESSES ? [] : addresses.slice(0, left)
    left -= some.length
    omitted += beyond + addresses.length - some.length
    if (some.length > 0) groups.push({ ...group, addresses: some })
  }
  return { groups, ...(omitted > 0 && { beyond: omitted }) }
}

/** Creates a group of the valid addresses. It skips host names, and the `None` of a headless Service. */
function group(addresses: readonly (string | undefined)[], ports?: readonly number[]): SlimGroup {
  const known: string[] = []
  let at = 0
  for (; at < addresses.length && known.length < MAX_EGRESS_ADDRESSES; at++) {
    const text = addresses[at]
    if (text !== undefined && parseAddress(text) !== undefined) known.push(text)
  }
  const group = { addresses: known, ...(ports !== undefined && ports.length > 0 && { ports: [...ports] }) }
  return { group, beyond: addresses.length - at }
}

/** The ports, sorted. Empty if a port has no number; an empty list means all ports. */
function numbersOf(ports: readonly { port?: number | null }[]): number[] {
  const numbers = ports.map(({ port }) => port)
  if (numbers.some((port) => port === undefined || port === null)) return []
  return [...new Set(numbers as number[])].sort((a, b) => a - b)
}
