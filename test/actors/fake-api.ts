import {
  type AnyPolicy,
  type ControlPlaneApi,
  type ControlPlaneStores,
  type Pod,
  type PolicyId,
  PortError,
  type ProfileDocument,
  type Workload,
  type WorkloadKind,
} from '../../actors/ports.ts'
import type { ArmorProfile, ArmorProfileStatus, VarmorPolicyStatus } from '../../src/api/types.ts'
import { type Clock, sleep } from '../../src/base/clock.ts'
import type { PatchOperation } from '../../src/base/json-patch.ts'
import type { Random } from '../../src/base/random.ts'

export type Kind = 'VarmorPolicy' | 'VarmorClusterPolicy' | 'ArmorProfile' | WorkloadKind

export interface Stored {
  kind: Kind
  metadata: {
    name: string
    namespace?: string
    uid: string
    resourceVersion: string
    generation: number
    creationTimestamp: string
    deletionTimestamp?: string
    finalizers?: string[]
    labels?: Record<string, string>
  }
  spec: unknown
  status?: unknown
}

export type Watcher = (key: string, object: Stored | undefined) => void

export interface Faults {
  /** The rate of failing calls: half of them fail before their effect, half of them after it. */
  rate: number
  /** Maximum duration of a call in milliseconds. */
  latency: number
}

const copy = <T>(value: T): T => structuredClone(value)

/**
 * An API server in memory: versions, generations, finalizers, and watchers that are notified of each change at once.
 */
export class FakeApi {
  readonly objects = new Map<string, Stored>()
  readonly watchers = new Set<Watcher>()
  /** Number of requests that changed an object, by what they did. */
  readonly writes: Record<string, number> = {}
  faults: Faults = { rate: 0, latency: 0 }
  /** Changes an object before it is stored, as an admission webhook does. */
  admit: (object: Stored, before?: Stored) => void = () => undefined
  /** The pods of an existing workload. */
  podsOf: (workload: Workload) => Pod[] = podsOfTemplate
  readonly clock: Clock
  readonly random: Random
  #version = 0
  #uids = 0

  constructor(clock: Clock, random: Random) {
    this.clock = clock
    this.random = random
  }

  get<T = Stored>(key: string): T | undefined {
    return this.objects.get(key) as T | undefined
  }

  *of(kind: Kind): Iterable<Stored> {
    for (const object of this.objects.values()) if (object.kind === kind) yield object
  }

  create(
    kind: Kind,
    metadata: { name: string; namespace?: string } & Partial<Stored['metadata']>,
    spec: unknown,
  ): Stored {
    const object = {
      apiVersion: kind in workloadKindSet ? 'apps/v1' : 'crd.varmor.org/v1beta1',
      kind,
      metadata: {
        ...metadata,
        uid: `uid-${++this.#uids}`,
        resourceVersion: '',
        generation: 1,
        creationTimestamp: this.timeText(),
      },
      spec: copy(spec),
    } as Stored
    this.admit(object)
    return this.#store(object)
  }

  /**
   * Changes an object whatever its version, as users and controllers do. A change of the spec raises the generation.
   */
  update(key: string, change: (object: Stored) => void): Stored | undefined {
    const before = this.objects.get(key)
    if (before === undefined) return undefined
    const after = copy(before)
    change(after)
    this.admit(after, before)
    if (JSON.stringify(after) === JSON.stringify(before)) return before
    if (JSON.stringify(after.spec) !== JSON.stringify(before.spec)) after.metadata.generation++
    return this.#store(after)
  }

  delete(key: string): void {
    const object = this.objects.get(key)
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return
    if ((object.metadata.finalizers ?? []).length === 0) {
      this.#drop(key)
      return
    }
    this.update(key, (one) => {
      one.metadata.deletionTimestamp = this.timeText()
      one.metadata.generation++
    })
  }

  timeText(): string {
    return new Date(this.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  }

  #store(object: Stored): Stored {
    const { deletionTimestamp, finalizers = [] } = object.metadata
    const key = storeKey(object)
    // A real API server answers with the previous version, because the last version was never stored.
    if (deletionTimestamp !== undefined && finalizers.length === 0) {
      this.#drop(key)
      return object
    }
    object.metadata.resourceVersion = String(++this.#version)
    this.objects.set(key, object)
    for (const watcher of this.watchers) watcher(key, object)
    return object
  }

  #drop(key: string): void {
    this.objects.delete(key)
    for (const watcher of this.watchers) watcher(key, undefined)
  }

  count(what: string): void {
    this.writes[what] = (this.writes[what] ?? 0) + 1
  }
}

/** Creates pods as controllers do. */
export const podsOfTemplate = ({ metadata: { name }, spec: { replicas = 1, template } }: Workload): Pod[] =>
  Array.from({ length: replicas }, (_, i) => ({
    metadata: { ...template.metadata, name: `${name}-${i}` },
    ...(template.spec !== undefined && { spec: template.spec }),
  }))

const workloadKindSet = { Deployment: 1, StatefulSet: 1, DaemonSet: 1 }

export const keyFor = (kind: Kind, namespace: string | undefined, name: string): string =>
  `${kind}/${namespace ?? ''}/${name}`

export const storeKey = ({ kind, metadata }: Stored): string => keyFor(kind, metadata.namespace, metadata.name)

const keyOfObject = (object: { kind: string; metadata: { namespace?: string; name: string } }): string =>
  keyFor(object.kind as Kind, object.metadata.namespace, object.metadata.name)

/** The API as one manager sees it. After the manager's death, none of its started calls ends. */
export class Session implements ControlPlaneApi, ControlPlaneStores {
  alive = true
  readonly #api: FakeApi
  readonly #seen = new Map<string, Stored>()
  readonly #byKind = new Map<Kind, Map<string, Stored>>()
  readonly #watcher: Watcher
  /** The latest pending version of each object, so that versions arrive in order. */
  #due = 0

  /**
   * @param lag maximum delay of a watch in milliseconds
   * @param changed called after the store has changed
   */
  constructor(api: FakeApi, lag: number, changed: (key: string, object: Stored | undefined) => void) {
    this.#api = api
    for (const [key, object] of api.objects) this.#set(key, object)
    this.#watcher = (key, object) => {
      const now = api.clock.now()
      this.#due = Math.max(this.#due, now + api.random() * lag)
      api.clock.after(this.#due - now, () => {
        if (!this.alive) return
        this.#set(key, object)
        changed(key, object)
      })
    }
    api.watchers.add(this.#watcher)
  }

  die(): void {
    this.alive = false
    this.#api.watchers.delete(this.#watcher)
  }

  #set(key: string, object: Stored | undefined): void {
    const kind = key.slice(0, key.indexOf('/')) as Kind
    const all = this.#byKind.get(kind) ?? new Map<string, Stored>()
    this.#byKind.set(kind, all)
    if (object === undefined) {
      this.#seen.delete(key)
      all.delete(key)
    } else {
      this.#seen.set(key, object)
      all.set(key, object)
    }
  }

  policy({ kind, namespace, name }: PolicyId): AnyPolicy | undefined {
    return this.#seen.get(keyFor(kind, namespace, name)) as AnyPolicy | undefined
  }

  lacksPolicies(): boolean {
    return false
  }

  profile(namespace: string, name: string): ArmorProfile | undefined {
    return this.#seen.get(keyFor('ArmorProfile', namespace, name)) as ArmorProfile | undefined
  }

  *workloads(kind: WorkloadKind, namespace: string | undefined): Iterable<Workload> {
    for (const object of this.#byKind.get(kind)?.values() ?? [])
      if (namespace === undefined || object.metadata.namespace === namespace) yield object as Workload
  }

  keys(kind: Kind): string[] {
    return [...(this.#byKind.get(kind)?.keys() ?? [])]
  }

  setPolicyFinalizers(policy: AnyPolicy, finalizers: string[]): Promise<AnyPolicy> {
    return this.#write('policy-finalizers', policy, (object) => {
      object.metadata.finalizers = finalizers
    })
  }

  writePolicyStatus(policy: AnyPolicy, status: VarmorPolicyStatus): Promise<AnyPolicy> {
    return this.#write('policy-status', policy, (object) => {
      object.status = copy(status)
    })
  }

  writeEgress(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile> {
    return this.writeProfileStatus(profile, status)
  }

  writeProfileStatus(profile: ArmorProfile, status: ArmorProfileStatus): Promise<ArmorProfile> {
    return this.#write('profile-status', profile, (object) => {
      object.status = copy(status)
    })
  }

  async setProfileFinalizers(profile: ArmorProfile, finalizers: string[]): Promise<void> {
    await this.#write('profile-finalizers', profile, (object) => {
      object.metadata.finalizers = finalizers
    })
  }

  patchWorkload(workload: Workload, operations: PatchOperation[]): Promise<Workload> {
    return this.#write('workload', workload, (object) => {
      for (const operation of operations) applyOperation(object, operation)
    })
  }

  async eachPod(workload: Workload, take: (pod: Pod) => void): Promise<void> {
    const found = await this.#call('pods', () => this.#api.podsOf(this.#api.get<Workload>(keyOfObject(workload))!))
    for (const pod of found) take(pod)
  }

  applyProfile(document: ProfileDocument): Promise<ArmorProfile> {
    return this.#call('profile', () => {
      const key = keyFor('ArmorProfile', document.metadata.namespace, document.metadata.name)
      const known = this.#api.get(key)
      if (known === undefined) return this.#api.create('ArmorProfile', copy(document.metadata), document.spec) as never
      return this.#api.update(key, (object) => {
        Object.assign(object.metadata, copy(document.metadata))
        object.spec = copy(document.spec)
      }) as never
    })
  }

  markProfile(profile: ArmorProfile): Promise<ArmorProfile> {
    return this.#write('profile-mark', profile, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, 'varmor.org/made-by': 'varmor-manager' }
    })
  }

  deleteProfile(profile: ArmorProfile): Promise<ArmorProfile | undefined> {
    return this.#call('profile-delete', () => {
      const key = keyFor('ArmorProfile', profile.metadata.namespace, profile.metadata.name)
      if (this.#api.get(key)?.metadata.uid !== profile.metadata.uid) return undefined
      this.#api.delete(key)
      return this.#api.get<ArmorProfile>(key)
    })
  }

  #write<T extends { kind: string; metadata: { namespace?: string; name: string; resourceVersion?: string } }>(
    what: string,
    object: T,
    change: (object: Stored) => void,
  ): Promise<T> {
    return this.#call(what, () => {
      const key = keyOfObject(object)
      const known = this.#api.get(key)
      if (known === undefined) throw new PortError('NOT_FOUND', `there is no ${key}`)
      if (known.metadata.resourceVersion !== object.metadata.resourceVersion)
        throw new PortError('CONFLICT', `${key} has changed`)
      return this.#api.update(key, change) as unknown as T
    })
  }

  async #call<T>(what: string, effect: () => T): Promise<T> {
    const { clock, random, faults } = this.#api
    await this.#pause(clock, (random() * faults.latency) / 2)
    const fails = random() < faults.rate
    if (fails && random() < 0.5) throw new PortError('UNAVAILABLE', 'the server was not reached')
    this.#api.count(what)
    const result = effect()
    await this.#pause(clock, (random() * faults.latency) / 2)
    if (fails) throw new PortError('UNAVAILABLE', 'the answer was lost')
    return result
  }

  async #pause(clock: Clock, delay: number): Promise<void> {
    if (delay > 0) await sleep(clock, delay)
    if (!this.alive) throw new Error('this manager is dead')
  }
}

const unescaped = (step: string): string => step.replaceAll('~1', '/').replaceAll('~0', '~')

function applyOperation(object: Stored, operation: PatchOperation): void {
  const steps = operation.path.split('/').slice(1).map(unescaped)
  const last = steps.pop()!
  let at = object as unknown as Record<string, unknown>
  for (const step of steps) {
    if (typeof at[step] !== 'object') throw new PortError('REFUSED', `there is no ${operation.path}`)
    at = at[step] as Record<string, unknown>
  }
  if (operation.op === 'remove') {
    if (!(last in at)) throw new PortError('REFUSED', `there is no ${operation.path}`)
    delete at[last]
  } else if (operation.op !== 'test') at[last] = operation.value
}
