import type {
  ArmorProfile,
  ArmorProfileModel,
  ArmorProfileModelStatus,
  DynamicResult,
  Profile,
} from '../../src/api/types.ts'

import type { Marks } from './recorded-for.ts'

/** The profiles and the recorded data with patterns, or why they cannot be built. */
export type BuiltProfile = { ok: true; profile: Profile; result: DynamicResult } | { ok: false; problem: string }

/** The fields of an ArmorProfileModel that the manager applies. */
export interface ModelDocument {
  metadata: {
    namespace: string
    name: string
    labels: Record<string, string>
    annotations?: Record<string, string>
    /** The API server answers CONFLICT if the model has changed. */
    resourceVersion?: string
  }
  storageType: NonNullable<ArmorProfileModel['storageType']>
  data: ArmorProfileModel['data']
}

export interface ModelApi {
  /** Reads the stored model; undefined if there is none. @throws {PortError} */
  readModel(namespace: string, name: string): Promise<ArmorProfileModel | undefined>
  /** Server-side apply, with force. @throws {PortError} */
  applyModel(document: ModelDocument): Promise<ArmorProfileModel>
  /** Sets only labels and annotations, unless the model has changed since it was read. @throws {PortError} */
  markModel(model: ArmorProfileModel, marks: Marks): Promise<ArmorProfileModel>
  writeModelStatus(model: ArmorProfileModel, status: ArmorProfileModelStatus): Promise<ArmorProfileModel>
}

/**
 * Stores data that is too large for the API server in a folder of the leader. Each object has its own file, because
 * another object of the same name may follow.
 */
export interface ModelFiles {
  read(model: Stored): Promise<DynamicResult | undefined>
  /** @throws the disk's error, or an error that says that the folder is full */
  write(model: Stored, data: DynamicResult): Promise<void>
  remove(model: Stored): Promise<void>
}

/** The fields of a model that name the file of its data. */
export interface Stored {
  metadata: Pick<ArmorProfileModel['metadata'], 'namespace' | 'name' | 'uid'>
}

export interface ModelSettings {
  /** Milliseconds to wait for the nodes' recordings after a modelling has ended, before the model is written. */
  timeout: number
  /** Minimum milliseconds between two writes of a model that still receives parts. */
  writeInterval: number
  firstBackoff: number
  maxBackoff: number
  /** Maximum bytes of JSON of an ArmorProfileModel: etcd limits an object to 1.5 MiB. */
  largest: number
}

export const defaultModelSettings: ModelSettings = {
  timeout: 60_000,
  writeInterval: 5_000,
  firstBackoff: 500,
  maxBackoff: 60_000,
  largest: 1_000_000,
}

export interface ModelPorts {
  profile(key: string): ArmorProfile | undefined
  /** Names of the nodes that should run an agent. */
  expected(): Iterable<string>
  nodeExists(node: string): boolean
  api: ModelApi
  files: ModelFiles
  /**
   * Builds the profiles that allow the recorded behaviour. It has a timeout.
   * @throws {PortError} UNAVAILABLE: retry later
   */
  build(result: DynamicResult, profile: Profile, namespace: string): Promise<BuiltProfile>
  settings: ModelSettings
}
