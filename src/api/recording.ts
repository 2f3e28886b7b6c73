import type { ArmorProfile, BehaviorModeling } from './types.ts'

/** The recording of an ArmorProfile whose policy models behaviour. */
export interface Recording {
  /**
   * Unique id: a later recording, or a later ArmorProfile of the same name, has another id. The id is a valid label
   * value.
   */
  id: string
  /** Whether the recording still runs. The manager decides this with its own clock. */
  open: boolean
  /** Start of the recording, in milliseconds since the epoch. */
  since: number
}

/** The recording of an ArmorProfile; undefined if its policy does not model behaviour. */
export function recordingOf({ metadata, spec }: ArmorProfile): Recording | undefined {
  const { enable, duration } = spec.behaviorModeling
  if (!enable && duration === 0) return undefined
  const since = beganAt(spec.behaviorModeling, metadata.creationTimestamp)
  return { id: `${metadata.uid ?? ''}.${Math.floor(since / 1_000)}`, open: enable, since }
}

/**
 * Start of the modelling, in milliseconds since the epoch. Older managers do not store the start. Then the creation
 * time of the ArmorProfile is used.
 */
export function beganAt({ since }: BehaviorModeling, creationTimestamp: unknown): number {
  const text = since ?? (typeof creationTimestamp === 'string' ? creationTimestamp : '')
  const time = Date.parse(text)
  return Number.isNaN(time) ? 0 : time
}
