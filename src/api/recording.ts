import type { ArmorProfile, BehaviorModeling } from './types.ts'

/** The recording of an ArmorProfile whose policy models behaviour. */
export interface Recording {
  /** No other one has it: neither that of another ArmorProfile of the name, nor a later one of the same. It can be the value of a label. */
  id: string
  /** Whether it goes on: the manager says so by its clock. */
  open: boolean
  /** When it began, in milliseconds since the epoch. */
  since: number
}

/** Undefined for an ArmorProfile whose policy models nothing. */
export function recordingOf({ metadata, spec }: ArmorProfile): Recording | undefined {
  const { enable, duration } = spec.behaviorModeling
  if (!enable && duration === 0) return undefined
  const since = beganAt(spec.behaviorModeling, metadata.creationTimestamp)
  return { id: `${metadata.uid ?? ''}.${Math.floor(since / 1_000)}`, open: enable, since }
}

/** When the modelling began, in milliseconds since the epoch. One that an older manager has begun did with the ArmorProfile. */
export function beganAt({ since }: BehaviorModeling, creationTimestamp: unknown): number {
  const text = since ?? (typeof creationTimestamp === 'string' ? creationTimestamp : '')
  const time = Date.parse(text)
  return Number.isNaN(time) ? 0 : time
}
