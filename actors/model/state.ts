import type { Collector } from '../modeller/collector.ts'
import type { Part } from './status.ts'

/** What the actor of a model knows. A cache. */
export interface ModelState {
  /** Which recording all of this is about (`recordingOf`); empty for none. */
  recording: string
  /** When it was first seen that the modelling is over, in milliseconds since the epoch. */
  over: number | undefined
  parts: Map<string, Part>
  merged: Collector
  /** What is known of an earlier manager's work: which part of a node is in the model. */
  stored: ReadonlyMap<string, string>
  /** Parts have come that are not in the model that the API server has. */
  dirty: boolean
  /** A model was written, or was there. */
  written: boolean
  /** The model stays as it is, as somebody has changed it or `lost` is not there again; what comes later is only named. */
  stays: boolean
  /** Nodes whose part, with its digest, was in a file of an earlier manager: the profiles alone still allow what they did. */
  lost: ReadonlyMap<string, string>
  /** What an earlier manager has said that it had no room for. */
  leftOutBefore: string
  /** Somebody may have changed the model, or deleted it. */
  look: boolean
  /** The resource version of the model as it was looked at last. */
  seen: string | undefined
  /** When the build began that is under way, in milliseconds since the epoch. Meanwhile nothing that nodes send is taken. */
  building: number | undefined
  /** When the next write is due, in milliseconds since the epoch. */
  due: number | undefined
  failures: number
}
