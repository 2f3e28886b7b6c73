import { createHash } from 'node:crypto'
import type { ArmorProfileModel } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'

/** Label of a model: which recording it is made of (`recordingOf`). */
export const RECORDED_FOR = 'varmor.org/recording'

/** Annotation of a model: the digest of what a manager has written into it. Another one says that somebody has changed it since. */
export const RECORDED_DATA = 'varmor.org/recorded-data'

const IMPORTED = 'imported'

/** Labels and annotations of a model, by which a manager knows its own. */
export interface Marks {
  labels: Record<string, string>
  annotations: Record<string, string>
}

/** What a model has that somebody brings in place of what was recorded: nothing is added to it. */
export const byOthers = (recording: string): Marks => ({
  labels: { [RECORDED_FOR]: recording },
  annotations: { [RECORDED_DATA]: IMPORTED },
})

interface Content {
  storageType?: ArmorProfileModel['storageType'] | undefined
  data: ArmorProfileModel['data']
}

/** What a model has that a manager has written. */
export const ofManager = (recording: string, { storageType, data }: Content): Marks => ({
  labels: { [RECORDED_FOR]: recording },
  annotations: { [RECORDED_DATA]: digestOf({ storageType, data }) },
})

const digestOf = (content: Content): string => createHash('sha256').update(canonicalJson(content)).digest('hex')

/**
 * Whose a model is by now: as a manager wrote it for this recording; written by a manager before models were marked; changed by
 * somebody since; brought by somebody in place of it; or of another recording, or of nobody who says so.
 */
export type Whose = 'ours' | 'unmarked' | 'changed' | 'imported' | 'other'

export function whose({ metadata, storageType, data }: ArmorProfileModel, recording: string): Whose {
  if (metadata.labels?.[RECORDED_FOR] !== recording) return 'other'
  const written = metadata.annotations?.[RECORDED_DATA]
  if (written === undefined) return 'unmarked'
  if (written === IMPORTED) return 'imported'
  return written === digestOf({ storageType, data }) ? 'ours' : 'changed'
}
