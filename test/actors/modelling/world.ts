import { createHash } from 'node:crypto'
import { buildProfile } from '../../../actors/model/build-profile.ts'
import { defaultModelSettings, type ModelDocument, type ModelPorts } from '../../../actors/model/ports.ts'
import { type ModelMessage, modelFamily } from '../../../actors/model.ts'
import type { ModelReply, StoredRecording } from '../../../actors/modeller/ports.ts'
import { type ModellerMessage, modellerFamily } from '../../../actors/modeller.ts'
import { PortError } from '../../../actors/ports.ts'
import { ActorSystem, AskError, type Family, SimulatedClock } from '../../../actors/runtime/index.ts'
import { checkModelReport, type ModelReport } from '../../../src/api/model-report.ts'
import { recordingOf } from '../../../src/api/recording.ts'
import type { ArmorProfile, ArmorProfileModel, DynamicResult } from '../../../src/api/types.ts'
import { type Random, seededRandom } from '../../../src/base/random.ts'
import { keyOf } from '../../../src/kube/objects.ts'

export const KEY = 'demo/varmor-demo-web'
const START = Date.parse('2026-01-01T00:00:00Z')

/** One run of a manager or an agent. After a kill its pending work never ends. */
class Life {
  dead = false

  async ofLiving<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.dead) return new Promise<T>(() => undefined)
    return work()
  }
}

interface Running<Message> {
  life: Life
  system: ActorSystem
  family: Family<Message>
}

/**
 * Agents that record, a manager that builds a model, and the disks and the API server, which outlive them. Tests move
 * the time.
 */
export class ModelWorld {
  readonly clock = new SimulatedClock(START)
  readonly random: Random
  readonly disks = new Map<string, Map<string, { stored: string; seen: number }>>()
  readonly files = new Map<string, DynamicResult>()
  readonly settings = { ...defaultModelSettings }
  readonly reports: ModelReport[] = []
  nodes: string[]
  profile: ArmorProfile | undefined
  model: ArmorProfileModel | undefined
  applied = 0
  /** The compilers are busy until this promise resolves. */
  compilers: Promise<void> = Promise.resolve()
  /** Number of reports that a busy manager did not answer. */
  unanswered = 0
  /** Times at which recordings were written. */
  readonly writes: number[] = []
  /** Nodes whose workers must send their data again. */
  readonly began: string[] = []
  #agents = new Map<string, Running<ModellerMessage>>()
  #manager: Running<ModelMessage> | undefined

  constructor(nodes: readonly string[], seed = 1) {
    this.nodes = [...nodes]
    this.random = seededRandom(seed)
    for (const node of nodes) this.disks.set(node, new Map())
    this.profile = recordedProfile('AppArmorSeccomp')
  }

  now(): number {
    return this.clock.now()
  }

  /** Ends the modelling, as the manager's clock does. */
  end(): void {
    this.profile!.spec.behaviorModeling.enable = false
    this.tellAll()
  }

  /** Tells agents and manager about the ArmorProfile, as watches do. */
  tellAll(): void {
    for (const node of this.#agents.keys()) this.tellAgent(node)
    this.#manager?.family.of(KEY).tell({ type: 'changed' })
  }

  tellAgent(node: string): void {
    const wanted = this.profile && recordingOf(this.profile)
    this.#agents.get(node)?.family.of(KEY).tell({ type: 'wanted', wanted })
  }

  found(node: string, found: DynamicResult): void {
    this.#agents.get(node)?.family.of(KEY).tell({ type: 'found', found, records: 1, ofRuntime: 0 })
  }

  lost(node: string, records: number): void {
    this.#agents.get(node)?.family.of(KEY).tell({ type: 'lost', records })
  }

  startAgent(node: string): void {
    const life = new Life()
    const disk = this.disks.get(node)!
    const system = this.#system()
    const family = system.family(
      'modeller',
      modellerFamily({
        node,
        files: {
          read: (key) =>
            life.ofLiving(() => {
              const file = disk.get(key)
              if (file?.stored === 'broken') return { broken: 'it was cut' }
              return file && { stored: JSON.parse(file.stored) as StoredRecording, seen: file.seen }
            }),
          write: (key, stored) =>
            life.ofLiving(() => {
              this.writes.push(this.now())
              disk.set(key, { stored: JSON.stringify(stored), seen: this.now() })
            }),
          touch: (key) =>
            life.ofLiving(() => {
              disk.get(key)!.seen = this.now()
            }),
          remove: (key) => life.ofLiving(() => void disk.delete(key)),
        },
        digest: (text) => createHash('sha256').update(text).digest('hex'),
        send: (report) => life.ofLiving(() => this.#send(report)),
        began: () => void this.began.push(node),
      }),
    )
    this.#agents.set(node, { life, system, family })
    this.tellAgent(node)
  }

  /** Truncates the node's file, as a full disk may do. */
  breakRecording(node: string): void {
    this.disks.get(node)!.set(KEY, { stored: 'broken', seen: this.now() })
  }

  /** A user edits the model, replaces it, or (undefined) deletes it. */
  editModel(edit: (model: ArmorProfileModel) => ArmorProfileModel | undefined): void {
    const edited = edit(structuredClone(this.model!))
    this.model = edited && {
      ...edited,
      metadata: { ...edited.metadata, resourceVersion: String(++this.applied) },
    }
    this.#manager?.family.of(KEY).tell({ type: 'model-changed', version: this.model?.metadata.resourceVersion })
  }

  killAgent(node: string): void {
    const agent = this.#agents.get(node)
    this.#agents.delete(node)
    if (agent !== undefined) kill(agent)
  }

  get living(): string[] {
    return [...this.#agents.keys()]
  }

  startManager(): void {
    const life = new Life()
    const system = this.#system()
    const api: ModelPorts['api'] = {
      readModel: () => life.ofLiving(() => structuredClone(this.model)),
      applyModel: (document) => life.ofLiving(() => this.#apply(document)),
      markModel: (model, { labels, annotations }) =>
        life.ofLiving(() => {
          this.editModel(({ metadata, ...rest }) => {
            if (metadata.resourceVersion !== model.metadata.resourceVersion) throw new PortError('CONFLICT', 'changed')
            const marked = {
              labels: { ...metadata.labels, ...labels },
              annotations: { ...metadata.annotations, ...annotations },
            }
            return { ...rest, metadata: { ...metadata, ...marked } }
          })
          return structuredClone(this.model!)
        }),
      writeModelStatus: (model, status) =>
        life.ofLiving(() => {
          if (this.model?.metadata.resourceVersion !== model.metadata.resourceVersion)
            throw new PortError('CONFLICT', 'changed')
          this.model = { ...this.model!, status: structuredClone(status) }
          return this.model
        }),
    }
    const family = system.family(
      'model',
      modelFamily({
        profile: () => this.profile,
        expected: () => this.nodes,
        nodeExists: (node) => this.nodes.includes(node),
        api,
        // Model files of this manager.
        files: {
          read: async (model) => this.files.get(keyOf(model)),
          write: async (model, data) => void this.files.set(keyOf(model), data),
          remove: async (model) => void this.files.delete(keyOf(model)),
        },
        // Does not generalise names, because the simulation's names contain numbers.
        build: async (result, profile) => {
          await this.compilers
          return buildProfile(result, profile, false)
        },
        settings: this.settings,
      }),
    )
    this.#manager = { life, system, family }
    if (this.profile?.spec.behaviorModeling.enable === false) family.of(KEY).tell({ type: 'changed' })
  }

  /** Kills the manager. Its folder is lost with it. */
  killManager(): void {
    const manager = this.#manager
    this.#manager = undefined
    this.files.clear()
    if (manager !== undefined) kill(manager)
  }

  get leads(): boolean {
    return this.#manager !== undefined
  }

  async runFor(duration: number): Promise<void> {
    const end = this.clock.now() + duration
    await this.#settle()
    while (this.clock.step(end)) await this.#settle()
  }

  async runUntil(condition: () => boolean, within = 3_600_000): Promise<boolean> {
    const end = this.clock.now() + within
    await this.#settle()
    while (!condition()) {
      if (!this.clock.step(end)) return condition()
      await this.#settle()
    }
    return true
  }

  async stop(): Promise<void> {
    for (const node of this.living) this.killAgent(node)
    this.killManager()
    await this.runFor(1_000)
  }

  #system(): ActorSystem {
    return new ActorSystem({ clock: this.clock, random: this.random })
  }

  async #settle(): Promise<void> {
    const systems = [...this.#agents.values(), ...(this.#manager === undefined ? [] : [this.#manager])]
    do {
      await new Promise<void>((resolve) => setImmediate(resolve))
      await new Promise<void>((resolve) => setImmediate(resolve))
    } while (systems.some(({ system, life }) => !life.dead && !system.environment.dispatcher.quiet))
  }

  async #send(report: ModelReport): Promise<ModelReply> {
    const checked = checkModelReport(structuredClone(report))
    if (!checked.ok) return { kind: 'refused', status: 400, message: JSON.stringify(checked.errors) }
    this.reports.push(report)
    const manager = this.#manager
    if (manager === undefined) return { kind: 'unreachable', message: 'no manager leads' }
    try {
      const answer = await manager.family.of(KEY).ask({ type: 'report', report: checked.report }, { timeout: 15_000 })
      return { kind: 'answer', answer }
    } catch (error) {
      if (!(error instanceof AskError)) throw error
      this.unanswered++
      return { kind: 'unreachable', message: error.message }
    }
  }

  #apply({ metadata, storageType, data }: ModelDocument): ArmorProfileModel {
    const { resourceVersion } = metadata
    if (resourceVersion !== undefined && resourceVersion !== this.model?.metadata.resourceVersion)
      throw new PortError('CONFLICT', 'changed')
    this.applied++
    this.model = structuredClone({
      apiVersion: 'crd.varmor.org/v1beta1' as const,
      kind: 'ArmorProfileModel' as const,
      metadata: { ...metadata, uid: 'm-1', resourceVersion: String(this.applied) },
      storageType,
      data,
      ...(this.model?.status !== undefined && { status: this.model.status }),
    })
    return this.model
  }
}

function kill({ life, system }: Running<never> | Running<ModellerMessage> | Running<ModelMessage>): void {
  life.dead = true
  void system.stop({ within: 0 })
}

/** An ArmorProfile whose workloads are or were recorded. */
export const recordedProfile = (enforcer: string, enable = true): ArmorProfile => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'ArmorProfile',
  metadata: { namespace: 'demo', name: 'varmor-demo-web', uid: 'u-1' },
  spec: {
    profile: { name: 'varmor-demo-web', enforcer, mode: 'complain' },
    behaviorModeling: { enable, duration: 10, since: '2026-01-01T00:00:00Z' },
    updateExistingWorkloads: false,
  },
})
