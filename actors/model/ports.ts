import type {
  ArmorProfile,
  ArmorProfileModel,
  ArmorProfileModelStatus,
  DynamicResult,
  Profile,
} from '../../src/api/types.ts'

import type { Marks } from './recorded-for.ts'

/** What is made of what was recorded, with the patterns in it, or why that cannot be done. */
export type BuiltProfile = { ok: true; profile: Profile; result: DynamicResult } | { ok: false; problem: string }

/** What is applied of an ArmorProfileModel. */
export interface ModelDocument {
  metadata: {
    namespace: string
    name: string
    labels: Record<string, string>
    annotations?: Record<string, string>
    /** Refused with CONFLICT where it is another one by now. */
    resourceVersion?: string
  }
  storageType: NonNullable<ArmorProfileModel['storageType']>
  data: ArmorProfileModel['data']
}

export interface ModelApi {
  /** As the server has it; undefined where there is none. @throws {PortError} */
  readModel(namespace: string, name: string): Promise<ArmorProfileModel | undefined>
  /** Server-side apply, with force. @throws {PortError} */
  applyModel(document: ModelDocument): Promise<ArmorProfileModel>
  /** Puts labels and annotations on it, and nothing else, unless it is another one by now. @throws {PortError} */
  markModel(model: ArmorProfileModel, marks: Marks): Promise<ArmorProfileModel>
  writeModelStatus(model: ArmorProfileModel, status: ArmorProfileModelStatus): Promise<ArmorProfileModel>
}

/** What is too large for the API server, in a folder of the manager that leads: of each object, as one of its name may come after it. */
export interface ModelFiles {
  read(model: Stored): Promise<DynamicResult | undefined>
  /** @throws the error of the disk, or that there is no room */
  write(model: Stored, data: DynamicResult): Promise<void>
  remove(model: Stored): Promise<void>
}

/** A model, as far as it says of which object a file is. */
export interface Stored {
  metadata: Pick<ArmorProfileModel['metadata'], 'namespace' | 'name' | 'uid'>
}

export interface ModelSettings {
  /** All in milliseconds. So long after the end of a modelling a model is made of what has come until then. */
  patience: number
  /** Between two writes of a model whose parts still come. */
  writeInterval: number
  firstBackoff: number
  longestBackoff: number
  /** Bytes of JSON that an ArmorProfileModel takes: the API server's store has a limit of 1.5 MiB for an object. */
  largest: number
}

export const defaultModelSettings: ModelSettings = {
  patience: 60_000,
  writeInterval: 5_000,
  firstBackoff: 500,
  longestBackoff: 60_000,
  largest: 1_000_000,
}

export interface ModelPorts {
  profile(key: string): ArmorProfile | undefined
  /** Nodes where an agent is expected, by name. */
  expected(): Iterable<string>
  nodeExists(node: string): boolean
  api: ModelApi
  files: ModelFiles
  /** The profiles that allow what was recorded. It has a time limit. @throws {PortError} UNAVAILABLE: not now */
  build(result: DynamicResult, profile: Profile, namespace: string): Promise<BuiltProfile>
  settings: ModelSettings
}
