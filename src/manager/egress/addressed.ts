import type { EgressGroup } from '../../api/types.ts'
import type { Random } from '../../base/random.ts'
import type { KubeObject, ObjectMeta } from '../../kube/objects.ts'
import { defineResource } from '../../kube/resources.ts'
import { parseAddress } from '../../profile/bpf/ip-address.ts'
import { MAX_EGRESS_ADDRESSES } from '../../profile/bpf/limits.ts'

/** A Pod, a Service or an EndpointSlice: of a cluster's hundred thousands, no more is kept than where it is and who is meant by it. */
export interface Addressed extends KubeObject {
  groups: readonly AddressedGroup[]
  /** Of this state of its addresses, and of no other: sums of marks tell which objects several targets mean. */
  mark: number
  /** Addresses beyond what an ArmorProfile has room for, which are counted only. */
  beyond?: number
}

export interface AddressedGroup extends EgressGroup {
  /** Whoever wrote the object says so, and nobody has looked whether they are its own. */
  claimed?: true
}

const addressed = (group: string, plural: string, kind: string) =>
  defineResource<Addressed>({ group, version: 'v1', plural, kind, namespaced: true })

export const pods = addressed('', 'pods', 'Pod')
export const services = addressed('', 'services', 'Service')
export const endpointSlices = addressed('discovery.k8s.io', 'endpointslices', 'EndpointSlice')

/** Pods that have ended give their addresses to others. The server leaves them out, and says of one that ends that it is gone. */
export const alivePods = 'status.phase!=Succeeded,status.phase!=Failed'

const serviceLabel = 'kubernetes.io/service-name'

/** `namespace/name` of the Service that an EndpointSlice is of; undefined for one that is of none. */
export function serviceOf({ metadata }: KubeObject): string | undefined {
  const name = metadata?.labels?.[serviceLabel]
  return name === undefined ? undefined : `${metadata?.namespace}/${name}`
}

export const namespaceOf = ({ metadata }: Addressed): string => metadata?.namespace ?? ''

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

/** Makes objects as the server sends them small. Pods of one workload share their labels. */
export class Slimmer {
  readonly #random: Random
  #labels = new Map<string, Readonly<Record<string, string>>>()

  constructor(random: Random = Math.random) {
    this.#random = random
  }

  readonly pod = (object: Addressed): Addressed => {
    const { podIPs = [] } = (object as PodFields).status ?? {}
    return this.#slim(object, [group(podIPs.map(({ ip }) => ip))])
  }

  /** A packet to a Service is led on after it was judged: its own addresses count as those behind it do. */
  readonly service = (object: Addressed): Addressed => {
    const { spec = {}, status = {} } = object as unknown as ServiceFields
    const { clusterIPs = [], externalIPs = [], ports = [] } = spec
    const balanced = (status.loadBalancer?.ingress ?? []).map(({ ip }) => ip)
    // Addresses from outside may lead to other Services at other ports. Those of load balancers only controllers may write.
    const numbers = numbersOf(ports)
    const outer = group(externalIPs, numbers)
    const claimed = { ...outer, group: { ...outer.group, claimed: true } } as const
    return this.#slim(object, [group(clusterIPs), claimed, group(balanced, numbers)])
  }

  readonly slice = (object: Addressed): Addressed => {
    const { endpoints, ports } = object as unknown as SliceFields
    const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? [])
    return this.#slim(object, [group(addresses, numbersOf(ports ?? []))])
  }

  #slim({ kind, metadata = {} }: Addressed, groups: readonly SlimGroup[]): Addressed {
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
    // Nobody else has so many, and their text would be kept beside them.
    if (key.length > LONGEST_SHARED) return labels
    const known = this.#labels.get(key)
    if (known !== undefined) return known
    // What was known goes: objects that have it keep it.
    if (this.#labels.size >= mostKnownLabels) this.#labels = new Map()
    this.#labels.set(key, labels)
    return labels
  }
}

const mostKnownLabels = 20_000
const LONGEST_SHARED = 2_048
const MARKS = 2 ** 52

/** Of one object: addresses beyond what an ArmorProfile has room for would not come into one, and are not looked at. */
interface SlimGroup {
  group: AddressedGroup
  beyond: number
}

function bounded(all: readonly SlimGroup[]): Pick<Addressed, 'groups' | 'beyond'> {
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

/** What is no address is left out: names of hosts, `None` of a headless Service. */
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

/** None, and so all, where one of them is not a number. */
function numbersOf(ports: readonly { port?: number | null }[]): number[] {
  const numbers = ports.map(({ port }) => port)
  if (numbers.some((port) => port === undefined || port === null)) return []
  return [...new Set(numbers as number[])].sort((a, b) => a - b)
}
