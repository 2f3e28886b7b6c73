import { createHash } from 'node:crypto'
import type { ArmorProfileModel } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'

/** Label of a model: which recording it is made of (`recordingOf`). */
export const RECORDED_FOR = 'varmor.org/recording'

/** Annotation of a model: the digest of what a manager has written into it. Another one says that somebody has changed it since. */
export const RECORDED_DATA = 'varmor.org/recorded-data'

/** What a model has that somebody brings in place of what was recorded: nothing is added to it. */
export const byOthers = (recording: string) => ({
  labels: { [RECORDED_FOR]: recording },
  annotations: { [RECORDED_DATA]: 'imported' },
})

type Content = Pick<ArmorProfileModel, 'storageType' | 'data'>

/** The value of RECORDED_DATA for this content: SHA-256 in hexadecimal. */
export const modelDigest = ({ storageType, data }: Content): string =>
  createHash('sha256').update(canonicalJson({ storageType, data })).digest('hex')

/** Whether it is another's by now: changed, or brought by somebody since. One of an older manager has no digest, and counts as it was written. */
export function isAnothers(found: ArmorProfileModel, recording: string): boolean {
  const { labels = {}, annotations = {} } = found.metadata
  if (labels[RECORDED_FOR] !== recording) return true
  const written = annotations[RECORDED_DATA]
  return written !== undefined && written !== modelDigest(found)
}
