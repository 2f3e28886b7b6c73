import type { ModelAnswer, ModelReport, PieceContent, RecordingGap } from '../../src/api/model-report.ts'
import type { NodeRoom } from './node-room.ts'

/** A recording as it is on the disk. */
export interface StoredRecording {
  /** See `recordingOf`. */
  id: string
  /** Milliseconds since the epoch. */
  began: number
  complete: boolean
  records: number
  ofRuntime: number
  lost: number
  gaps: RecordingGap[]
  /** `Collector.state`. */
  behaviour: PieceContent
}

/** Where recordings are kept, by the key of their ArmorProfile. */
export interface RecordingFiles {
  /**
   * `seen` is when it was written or touched last, in milliseconds since the epoch. `broken`: why what is there cannot be used; it is
   * out of the way then.
   */
  read(key: string): Promise<{ stored: StoredRecording; seen: number } | { broken: string } | undefined>
  /** Resolves when it is on the disk. @throws the error of the disk */
  write(key: string, stored: StoredRecording): Promise<void>
  /** Notes that nothing has changed until now. */
  touch(key: string): Promise<void>
  remove(key: string): Promise<void>
}

/** What became of a report about a recording. */
export type ModelReply =
  | { kind: 'answer'; answer: ModelAnswer }
  | { kind: 'refused'; status: number; message: string; retryAfter?: number }
  | { kind: 'unreachable'; message: string }

export interface ModellerTiming {
  /** All in milliseconds. What was found is on the disk so long after it at the latest, and longer where there is much of it: see `bytesASecond`. */
  saveEvery: number
  /** Bytes of a recording for each of which the next save waits this part of a second more: all of it is written each time. */
  bytesASecond: number
  /** Records are still on their way when a modelling ends. */
  settle: number
  firstBackoff: number
  longestBackoff: number
}

export interface ModellerPorts {
  /** Name of the Node. */
  node: string
  files: RecordingFiles
  /** Takes a report to a manager. It has a time limit, and never rejects. */
  send(report: ModelReport): Promise<ModelReply>
  /** SHA-256 in hexadecimal. */
  digest(text: string): string
  /** Called when one begins, for the first time or after a failure: what the worker threads know they are to send again. */
  began?: (key: string) => void
  timing?: Partial<ModellerTiming>
  /** What recordings may take; that of a node unless given. */
  room?: NodeRoom
}

export const defaultModellerTiming: ModellerTiming = {
  saveEvery: 3_000,
  bytesASecond: 256 * 1024,
  settle: 5_000,
  firstBackoff: 1_000,
  longestBackoff: 60_000,
}
