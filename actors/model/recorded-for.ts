import { createHash } from 'node:crypto'
import type { ArmorProfileModel } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'

/** Label of a model: the recording from which it was built (`recordingOf`). */
export const RECORDED_FOR = 'varmor.org/recording'

/**
 * Annotation of a model: the digest of the data that a manager wrote. Data with another digest has been changed by
 * another client.
 */
export const RECORDED_DATA = 'varmor.org/recorded-data'

const IMPORTED = 'imported'

/** Labels and annotations by which a manager recognizes the models that it wrote. */
export interface Marks {
  labels: Record<string, string>
  annotations: Record<string, string>
}

/** Labels and annotations of a model that a user imported in place of the recording: the manager adds nothing to it. */
export const byOthers = (recording: string): Marks => ({
  labels: { [RECORDED_FOR]: recording },
  annotations: { [RECORDED_DATA]: IMPORTED },
})

interface Content {
  storageType?: ArmorProfileModel['storageType'] | undefined
  data: ArmorProfileModel['data']
}

/** Labels and annotations of a model that a manager wrote. */
export const ofManager = (recording: string, { storageType, data }: Content): Marks => ({
  labels: { [RECORDED_FOR]: recording },
  annotations: { [RECORDED_DATA]: digestOf({ storageType, data }) },
})

const digestOf = (content: Content): string => createHash('sha256').update(canonicalJson(content)).digest('hex')

/**
 * Origin of a model: written by a manager for this recording; written by a manager before models had marks; changed by
 * a user since; imported by a user in place of the recording; or from another recording or an unknown source.
 */
export type Whose = 'ours' | 'unmarked' | 'changed' | 'imported' | 'other'

export function whose({ metadata, storageType, data }: ArmorProfileModel, recording: string): Whose {
  if (metadata.labels?.[RECORDED_FOR] !== recording) return 'other'
  const written = metadata.annotations?.[RECORDED_DATA]
  if (written === undefined) return 'unmarked'
  if (written === IMPORTED) return 'imported'
  return written === digestOf({ storageType, data }) ? 'ours' : 'changed'
}
