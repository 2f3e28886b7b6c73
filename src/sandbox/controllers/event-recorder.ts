import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { timestamp } from '../api-server/context.ts'
import type { KubeObject } from '../api-server/kube-object.ts'
import { type ClusterClient, isStatus } from './cluster-client.ts'
import { events, type Resource } from './resources.ts'

export interface EventRecorderOptions {
  readonly client: ClusterClient
  readonly clock: Clock
  readonly random: Random
  /** Events are a courtesy: one that cannot be written is reported here and given up. */
  readonly failed: (what: string, error: unknown) => void
  /** Of a node. */
  readonly host?: string
}

interface Known {
  readonly object: KubeObject
  count: number
}

/** As many as are remembered, to count repetitions on one object instead of writing more. */
const remembered = 4096

/** Writes what happens to objects as Events, as `kubectl describe` shows them. Like events are counted on one object. */
export class EventRecorder {
  private readonly options: EventRecorderOptions
  private readonly known = new Map<string, Known>()
  private writing: Promise<void> = Promise.resolve()
  private sequence = 0

  constructor(options: EventRecorderOptions) {
    this.options = options
  }

  normal(component: string, resource: Resource, about: KubeObject, reason: string, message: string): void {
    this.record(component, resource, about, 'Normal', reason, message)
  }

  warning(component: string, resource: Resource, about: KubeObject, reason: string, message: string): void {
    this.record(component, resource, about, 'Warning', reason, message)
  }

  private record(
    component: string,
    resource: Resource,
    about: KubeObject,
    type: string,
    reason: string,
    message: string,
  ): void {
    const key = [component, about.metadata.uid, type, reason, message].join('\n')
    // One at a time, so that a repetition finds the event it repeats.
    this.writing = this.writing.then(() => this.write(key, component, resource, about, { type, reason, message }))
  }

  private async write(
    key: string,
    component: string,
    resource: Resource,
    about: KubeObject,
    what: { type: string; reason: string; message: string },
  ): Promise<void> {
    const known = this.known.get(key)
    try {
      if (known) await this.repeat(known)
      else this.remember(key, await this.create(component, resource, about, what))
    } catch (error) {
      this.known.delete(key)
      // Its namespace or the event itself may be gone by now.
      if (!isStatus(error, 403) && !isStatus(error, 404)) this.options.failed('write an event', error)
    }
  }

  private create(
    component: string,
    { apiVersion, kind }: Resource,
    { metadata }: KubeObject,
    what: { type: string; reason: string; message: string },
  ): Promise<KubeObject> {
    const now = timestamp(this.options.clock.now())
    const namespace = metadata.namespace ?? 'default'
    const { name, uid, resourceVersion } = metadata
    const { host } = this.options
    return this.options.client.create(events, {
      metadata: { name: `${name}.${this.suffix()}`, namespace },
      involvedObject: { kind, apiVersion, namespace: metadata.namespace, name, uid, resourceVersion },
      ...what,
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      eventTime: null,
      reportingComponent: component,
      reportingInstance: host ?? '',
    })
  }

  private async repeat(known: Known): Promise<void> {
    known.count++
    const patch = { count: known.count, lastTimestamp: timestamp(this.options.clock.now()) }
    await this.options.client.patch(events, known.object, patch, { type: 'merge' })
  }

  private remember(key: string, object: KubeObject): void {
    if (this.known.size >= remembered) this.known.delete(this.known.keys().next().value!)
    this.known.set(key, { object, count: 1 })
  }

  /** Unlike any other of the object: the time as client-go does, then chance. */
  private suffix(): string {
    const time = BigInt(Math.floor(this.options.clock.now())) * 1_000_000n + BigInt(this.sequence++ % 1_000_000)
    return `${time.toString(16)}${Math.floor(this.options.random() * 0x10000).toString(16)}`
  }
}
