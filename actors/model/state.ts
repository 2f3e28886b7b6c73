import type { Collector } from '../modeller/collector.ts'
import type { Part } from './status.ts'

/** The state of a model's actor: a cache. */
export interface ModelState {
  /** The recording that the state belongs to (`recordingOf`); empty if there is none. */
  recording: string
  /** When the manager first saw that the modelling is over, in milliseconds since the epoch. */
  over: number | undefined
  parts: Map<string, Part>
  merged: Collector
  /** Frees the memory of `merged`. */
  release: () => void
  /** For each node whose part an earlier manager put into the model: the digest of the part. */
  stored: ReadonlyMap<string, string>
  /** Parts have arrived that the stored model lacks. */
  dirty: boolean
  /** The model is stored. */
  written: boolean
  /**
   * The manager no longer changes the model, because a user has changed it or parts in `lost` are missing. Its status
   * names parts that arrive later.
   */
  stays: boolean
  /**
   * Nodes whose part was in an earlier manager's file, with the part's digest. Only the profiles still allow their
   * behaviour.
   */
  lost: ReadonlyMap<string, string>
  /** The text in the stored model about data that did not fit. */
  leftOutBefore: string
  /** The stored model may have changed or been deleted: read it. */
  poll: boolean
  /** The resource version of the model when it was last read. */
  seen: string | undefined
  /**
   * When the current build started, in milliseconds since the epoch. During a build the manager accepts no parts from
   * nodes.
   */
  building: number | undefined
  /** When the next write is due, in milliseconds since the epoch. */
  due: number | undefined
  failures: number
}
