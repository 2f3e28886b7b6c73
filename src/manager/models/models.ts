import { defaultModelSettings, type ModelPorts, type ModelSettings } from '../../../actors/model/ports.ts'
import { type ModelMessage, modelFamily, unknownRecording } from '../../../actors/model.ts'
import type { FoundModel } from '../../../actors/policy/ports.ts'
import type { ActorSystem, Family } from '../../../actors/runtime/index.ts'
import type { ModelAnswer, ModelReport } from '../../api/model-report.ts'
import { recordingOf } from '../../api/recording.ts'
import type { ClusterView } from '../cluster-view.ts'
import { foundModel } from './found-model.ts'

export interface ModelsOptions extends Pick<ModelPorts, 'api' | 'files' | 'build' | 'expected'> {
  system: ActorSystem
  view: Pick<ClusterView, 'profiles' | 'models' | 'nodes'>
  settings?: Partial<ModelSettings>
}

/** Milliseconds. An agent gives up a little later. */
const TIMEOUT = 15_000

export const modelFamilyName = 'model'

/** The models of a leading manager. Each ArmorProfile whose workloads are recorded has an actor. */
export class Models {
  readonly #family: Family<ModelMessage>
  readonly #view: ModelsOptions['view']

  constructor({ system, view, settings, ...ports }: ModelsOptions) {
    this.#view = view
    this.#family = system.family(
      modelFamilyName,
      modelFamily({
        ...ports,
        profile: (key) => view.profiles.store.get(key),
        nodeExists: (node) => view.nodes.store.get(node) !== undefined,
        settings: { ...defaultModelSettings, ...settings },
      }),
    )
  }

  /** Takes a node's report on its recording. @throws {AskError} if the actor does not answer in time */
  async report(report: ModelReport): Promise<ModelAnswer> {
    const key = `${report.namespace}/${report.name}`
    const profile = this.#view.profiles.store.get(key)
    const isKnown = profile !== undefined && recordingOf(profile)?.id === report.recording
    // Check before an actor is created: a client with a node's token can send any number of invented names.
    if (!isKnown || this.#view.nodes.store.get(report.node) === undefined) return unknownRecording
    return this.#family.of(key).ask({ type: 'report', report }, { timeout: TIMEOUT })
  }

  /** Call this when an ArmorProfile may have changed. */
  profileChanged(key: string): void {
    const profile = this.#view.profiles.store.get(key)
    if (profile !== undefined && recordingOf(profile)?.open === false) this.#family.of(key).tell({ type: 'changed' })
  }

  /** Call this when the model was written or deleted. */
  modelChanged(key: string): void {
    const version = this.#view.models.store.get(key)?.metadata.resourceVersion
    const profile = this.#view.profiles.store.get(key)
    if (profile !== undefined && recordingOf(profile)?.open === false)
      this.#family.of(key).tell({ type: 'model-changed', version })
  }

  found(namespace: string, name: string): FoundModel | undefined {
    const model = this.#view.models.store.get(`${namespace}/${name}`)
    return model && foundModel(model)
  }
}
