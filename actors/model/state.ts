import type { Collector } from '../modeller/collector.ts'
import type { Part } from './status.ts'

/** The state of a model's actor. A cache. */
export interface ModelState {
  /** The recording that the state is about (`recordingOf`); empty for none. */
  recording: string
  /** When the manager first saw that the modelling is over, in milliseconds since the epoch. */
  over: number | undefined
  parts: Map<string, Part>
  merged: Collector
  /** Frees the memory of `merged`. */
  release: () => void
  /** An earlier manager's work: the digest of each node's part that is in the model. */
  stored: ReadonlyMap<string, string>
  /** Parts have arrived that the stored model lacks. */
  dirty: boolean
  /** The model is stored. */
  written: boolean
  /**
   * The model stays as it is, because a user has changed it or parts in `lost` are missing. Later parts are only named
   * in its status.
   */
  stays: boolean
  /**
   * Nodes whose part, with its digest, was in an earlier manager's file. Only the profiles still allow their behaviour.
   */
  lost: ReadonlyMap<string, string>
  /** The earlier manager's text about data that it had to leave out. */
  leftOutBefore: string
  /** The model may have been changed or deleted: read it. */
  poll: boolean
  /** The resource version of the model when it was last read. */
  seen: string | undefined
  /** When the current build started, in milliseconds since the epoch. Meanwhile nodes' parts are not accepted. */
  building: number | undefined
  /** When the next write is due, in milliseconds since the epoch. */
  due: number | undefined
  failures: number
}
