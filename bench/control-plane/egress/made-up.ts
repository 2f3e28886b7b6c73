import type { EgressTarget, LabelSelector } from '../../../src/api/types.ts'
import type { Change } from '../../../src/kube/change.ts'
import { HandlerQueue } from '../../../src/kube/handler-queue.ts'
import { keyOf } from '../../../src/kube/objects.ts'
import type { AddressedReflector, EgressSources } from '../../../src/manager/egress/egress-directory.ts'
import { type IpOwner, Slimmer } from '../../../src/manager/egress/ip-owner.ts'
import { serviceObject, sliceOf } from '../../../test/manager/egress/fake-sources.ts'

export interface Scale {
  policies: number
  /** Number of the policies' namespaces. */
  namespaces: number
  targets: number
  services: number
  endpoints: number
}

/** Number of the Services' namespaces. */
const SPACES = 50
const PAGE = 250

export const addressOf = (first: number, i: number): string =>
  `${first + (i >> 24)}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`

/** Labels as in a chart: each Service has its own app. */
const labelsOf = (i: number) => ({ app: `app-${i}`, tier: `tier-${i % 7}`, 'app.kubernetes.io/managed-by': 'Helm' })
const spaceOf = (i: number): string => `team-${i % SPACES}`

/** A cluster whose objects come in pages, as in a list. */
export class MadeUpCluster {
  readonly #slim = new Slimmer()
  readonly #scale: Scale
  readonly #queues = new Map<string, HandlerQueue<IpOwner>>()

  constructor(scale: Scale) {
    this.#scale = scale
  }

  readonly sources: EgressSources = {
    pods: () => this.#reflector('pods', 0, () => this.service(0)),
    services: () => this.#reflector('services', this.#scale.services, (i) => this.service(i)),
    slices: () => this.#reflector('slices', this.#scale.services, (i) => this.slice(i)),
  }

  service(i: number, address = addressOf(100, i)): IpOwner {
    const object = serviceObject(spaceOf(i), `service-${i}`, labelsOf(i), { clusterIPs: [address] })
    return this.#slim.service(object as IpOwner)
  }

  slice(i: number): IpOwner {
    const { endpoints, services } = this.#scale
    const each = Math.floor(endpoints / services)
    const addresses = Array.from({ length: each }, (_, one) => addressOf(10, i * each + one))
    const name = { service: `service-${i}`, labels: labelsOf(i) }
    return this.#slim.slice(sliceOf(spaceOf(i), `service-${i}-x`, name, addresses, [8080]) as IpOwner)
  }

  /** Puts an object into the cluster, in the form that a watch delivers. */
  put(kind: string, object: IpOwner): void {
    this.#queues.get(kind)?.push({ type: 'updated', key: keyOf(object), object, old: object })
  }

  #reflector(kind: string, count: number, make: (i: number) => IpOwner): AddressedReflector {
    const queues = this.#queues
    let sync: (synced: boolean) => void = () => undefined
    const synced = new Promise<boolean>((resolve) => {
      sync = resolve
    })
    const list = async (): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const object = make(i)
        queues.get(kind)?.push({ type: 'added', key: keyOf(object), object } satisfies Change<IpOwner>)
        if (i % PAGE === 0) await new Promise(setImmediate)
      }
      sync(true)
    }
    return {
      synced,
      get waiting() {
        return queues.get(kind)?.depth ?? 0
      },
      subscribe: (handler) => {
        const queue = new HandlerQueue(handler, {})
        queues.set(kind, queue)
        return () => queue.stop()
      },
      start: () => void list(),
      stop: async () => {
        queues.get(kind)?.stop()
        queues.delete(kind)
        sync(false)
      },
    }
  }
}

const services = (selector: LabelSelector, namespace = ''): EgressTarget => ({ kind: 'services', namespace, selector })

/** Ways in which policies choose their targets. */
export const choices = {
  /** Existing Services, by name and by label; several policies choose the same Services. */
  shared: (i: number, { services: count }: Scale): EgressTarget => {
    const one = (i * 7919) % count
    return i % 2 === 0
      ? { kind: 'service', namespace: spaceOf(one), name: `service-${one}` }
      : services({ matchLabels: { app: `app-${one}` } })
  },
  /** All selectors differ, and most select nothing. */
  different: (i: number): EgressTarget => services({ matchLabels: { app: `app-${i}` } }),
  /** All Services; each selector excludes a different label that no Service has. */
  unanchored: (i: number): EgressTarget =>
    services({ matchExpressions: [{ key: `none-${i}`, operator: 'DoesNotExist' }] }),
  /** All Services except one; each selector excludes a different Service. */
  all_but_one: (i: number, { services: count }: Scale): EgressTarget =>
    services({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: [`app-${i % count}`] }] }),
  /** A label that all Services have. */
  common: (i: number): EgressTarget =>
    services({
      matchLabels: { 'app.kubernetes.io/managed-by': 'Helm' },
      matchExpressions: [{ key: 'app', operator: 'NotIn', values: [`app-${i}`] }],
    }),
}
