import type { Change } from '../../../src/kube/change.ts'
import { HandlerQueue } from '../../../src/kube/handler-queue.ts'
import { type KubeObject, keyOf } from '../../../src/kube/objects.ts'
import { Store } from '../../../src/kube/store.ts'
import type { AddressedReflector, EgressSources } from '../../../src/manager/egress/egress-directory.ts'
import { type IpOwner, Slimmer } from '../../../src/manager/egress/ip-owner.ts'

type Kind = keyof EgressSources

/** A cluster's objects, and reflectors of them. */
export class FakeSources {
  readonly objects: Record<Kind, Map<string, KubeObject>> = { pods: new Map(), services: new Map(), slices: new Map() }
  readonly running = new Map<Kind, { store: Store<IpOwner>; queues: Set<HandlerQueue<IpOwner>> }>()
  readonly #slim = new Slimmer()

  readonly sources: EgressSources = {
    pods: () => this.#reflector('pods'),
    services: () => this.#reflector('services'),
    slices: () => this.#reflector('slices'),
  }

  /** Tells whether queues contain changes. */
  get isBusy(): boolean {
    return [...this.running.values()].some(({ queues }) => [...queues].some(({ depth }) => depth > 0))
  }

  put(kind: Kind, object: KubeObject): void {
    const key = keyOf(object)
    this.objects[kind].set(key, object)
    const running = this.running.get(kind)
    if (running === undefined) return
    const made = this.#made(kind, object)
    const old = running.store.get(key)
    running.store.set(made)
    const change: Change<IpOwner> =
      old === undefined ? { type: 'added', key, object: made } : { type: 'updated', key, object: made, old }
    for (const queue of running.queues) queue.push(change)
  }

  delete(kind: Kind, key: string): void {
    this.objects[kind].delete(key)
    const running = this.running.get(kind)
    const object = running?.store.get(key)
    if (running === undefined || object === undefined) return
    running.store.delete(key)
    for (const queue of running.queues) queue.push({ type: 'deleted', key, object, missed: false })
  }

  #made(kind: Kind, object: KubeObject): IpOwner {
    const slim = { pods: this.#slim.pod, services: this.#slim.service, slices: this.#slim.slice }[kind]
    return slim(structuredClone(object) as IpOwner)
  }

  #reflector(kind: Kind): AddressedReflector {
    const store = new Store<IpOwner>()
    const queues = new Set<HandlerQueue<IpOwner>>()
    let sync: (synced: boolean) => void = () => undefined
    const synced = new Promise<boolean>((resolve) => {
      sync = resolve
    })
    return {
      synced,
      get waiting() {
        return [...queues].reduce((sum, { depth }) => sum + depth, 0)
      },
      subscribe: (handler) => {
        const queue = new HandlerQueue(handler, {})
        queues.add(queue)
        return () => queue.stop()
      },
      start: () => {
        for (const [key, one] of this.objects[kind]) {
          const object = this.#made(kind, one)
          store.set(object)
          for (const queue of queues) queue.push({ type: 'added', key, object })
        }
        this.running.set(kind, { store, queues })
        sync(true)
      },
      stop: async () => {
        for (const queue of queues) queue.stop()
        this.running.delete(kind)
        sync(false)
      },
    }
  }
}

type Labels = Record<string, string>

export const podOf = (namespace: string, name: string, labels: Labels, ...ips: string[]): KubeObject =>
  ({
    kind: 'Pod',
    metadata: { namespace, name, uid: name, labels },
    status: { podIPs: ips.map((ip) => ({ ip })) },
  }) as KubeObject

export const serviceObject = (namespace: string, name: string, labels: Labels, spec: object, status = {}): KubeObject =>
  ({ kind: 'Service', metadata: { namespace, name, uid: name, labels }, spec, status }) as KubeObject

export const sliceOf = (
  namespace: string,
  name: string,
  { service, labels = {} }: { service?: string; labels?: Labels },
  addresses: string[],
  ports: (number | null)[] = [],
): KubeObject =>
  ({
    kind: 'EndpointSlice',
    metadata: {
      ...{ namespace, name, uid: name },
      labels: { ...labels, ...(service !== undefined && { 'kubernetes.io/service-name': service }) },
    },
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: ports.map((port) => ({ port })),
  }) as KubeObject
