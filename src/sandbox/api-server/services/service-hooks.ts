import type { WriteHooks } from '../handlers/hooks.ts'
import type { KubeObject } from '../kube-object.ts'
import { type JsonObject, listOf, numberOf, objectOf, textOf } from '../schema/json.ts'
import { invalid } from '../status.ts'
import type { Store } from '../store/store.ts'

/** `10.96.0.0/16`, as 16 bits in front of a number. */
const prefix = '10.96'
const addresses = 2 ** 16
const nodePorts = { first: 30_000, last: 32_767 }

/** Gives services their cluster address and node ports, each to one service at a time. */
export class ServiceHooks implements WriteHooks {
  private readonly addresses = new Set<string>()
  private readonly ports = new Set<number>()
  private nextAddress = 2

  constructor(store: Store) {
    for (const service of store.walk('/services')) this.take(service)
    store.listen((storage, { type, object, previous }) => {
      if (storage !== '/services') return
      if (previous) this.release(previous)
      if (type !== 'DELETED') this.take(object)
    })
  }

  before(draft: KubeObject, old: KubeObject | undefined): () => void {
    const spec = { ...objectOf(draft['spec']) }
    if (old) keepAllocated(spec, objectOf(old['spec']))
    draft['spec'] = spec
    const type = textOf(spec['type']) || 'ClusterIP'
    if (type === 'ExternalName') return () => undefined
    const before = old && textOf(objectOf(old['spec'])['clusterIP'])
    this.address(draft, spec, before)
    if (type === 'NodePort' || type === 'LoadBalancer') this.nodePorts(draft, spec, old)
    // What is taken is known by what is stored, so nothing has to be given back.
    return () => undefined
  }

  private address(draft: KubeObject, spec: JsonObject, before: string | undefined): void {
    const wanted = textOf(spec['clusterIP'])
    if (wanted === '') spec['clusterIP'] = this.freeAddress()
    else if (wanted !== 'None' && wanted !== before && this.addresses.has(wanted))
      throw invalid({ group: '', kind: 'Service' }, draft.metadata.name, [
        {
          type: 'FieldValueInvalid',
          field: 'spec.clusterIPs',
          value: [wanted],
          detail: `failed to allocate IP ${wanted}: provided IP is already allocated`,
        },
      ])
    spec['clusterIPs'] = [textOf(spec['clusterIP'])]
    spec['ipFamilies'] ??= ['IPv4']
    spec['ipFamilyPolicy'] ??= 'SingleStack'
  }

  private freeAddress(): string {
    for (let tried = 0; tried < addresses; tried++) {
      const number = this.nextAddress
      this.nextAddress = number + 1 >= addresses - 1 ? 2 : number + 1
      const address = `${prefix}.${number >> 8}.${number & 255}`
      if (!this.addresses.has(address)) return address
    }
    throw new Error('failed to allocate a serviceIP: range is full')
  }

  private nodePorts(draft: KubeObject, spec: JsonObject, old: KubeObject | undefined): void {
    const own = new Set(portsOf(old))
    const taken = new Set<number>()
    spec['ports'] = listOf(spec['ports']).map((port, index) => {
      const wanted = numberOf(objectOf(port)['nodePort'])
      const nodePort = wanted === 0 ? this.freePort(taken) : wanted
      if (wanted !== 0 && !own.has(wanted) && this.ports.has(wanted)) throw portTaken(draft, index, wanted)
      taken.add(nodePort)
      return { ...objectOf(port), nodePort }
    })
    spec['externalTrafficPolicy'] ??= 'Cluster'
  }

  private freePort(taken: ReadonlySet<number>): number {
    for (let port = nodePorts.first; port <= nodePorts.last; port++)
      if (!this.ports.has(port) && !taken.has(port)) return port
    throw new Error('failed to allocate a nodePort: range is full')
  }

  private take(service: KubeObject): void {
    const address = textOf(objectOf(service['spec'])['clusterIP'])
    if (address !== '' && address !== 'None') this.addresses.add(address)
    for (const port of portsOf(service)) this.ports.add(port)
  }

  private release(service: KubeObject): void {
    this.addresses.delete(textOf(objectOf(service['spec'])['clusterIP']))
    for (const port of portsOf(service)) this.ports.delete(port)
  }
}

const portsOf = (service: KubeObject | undefined): number[] =>
  listOf(objectOf(service?.['spec'])['ports'])
    .map((port) => numberOf(objectOf(port)['nodePort']))
    .filter((port) => port !== 0)

/** An update that leaves out what was allocated keeps it. */
function keepAllocated(spec: JsonObject, old: JsonObject): void {
  if (textOf(spec['type']) === 'ExternalName') return
  if (textOf(spec['clusterIP']) === '' && textOf(old['clusterIP']) !== '') spec['clusterIP'] = old['clusterIP']!
  for (const field of ['ipFamilies', 'ipFamilyPolicy'])
    if (spec[field] === undefined && old[field] !== undefined) spec[field] = old[field]
  const before = listOf(old['ports']).map(objectOf)
  spec['ports'] = listOf(spec['ports']).map((port) => {
    const one = objectOf(port)
    const same = before.find(({ port: number, protocol }) => number === one['port'] && protocol === one['protocol'])
    const needsOne = ['NodePort', 'LoadBalancer'].includes(textOf(spec['type']))
    return needsOne && one['nodePort'] === undefined && same?.['nodePort']
      ? { ...one, nodePort: same['nodePort'] }
      : one
  })
}

const portTaken = (draft: KubeObject, index: number, port: number): Error =>
  invalid({ group: '', kind: 'Service' }, draft.metadata.name, [
    {
      type: 'FieldValueInvalid',
      field: `spec.ports[${index}].nodePort`,
      value: port,
      detail: 'provided port is already allocated',
    },
  ])
