import type { ModelAnswer, ModelReport, PieceContent, RecordingGap } from '../../src/api/model-report.ts'
import type { NodeQuota } from './node-room.ts'

/** A recording as stored on disk. */
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

/** Stores recordings by the key of their ArmorProfile. */
export interface RecordingFiles {
  /**
   * `seen`: when the file was last written or touched, in milliseconds since the epoch. `broken`: why the file cannot
   * be used; the store has moved it away.
   */
  read(key: string): Promise<{ stored: StoredRecording; seen: number } | { broken: string } | undefined>
  /** Resolves when the recording is on disk. @throws the disk's error */
  write(key: string, stored: StoredRecording): Promise<void>
  /** Stores that the recording has not changed until now. */
  touch(key: string): Promise<void>
  remove(key: string): Promise<void>
}

/** The manager's reply to a report about a recording. */
export type ModelReply =
  | { kind: 'answer'; answer: ModelAnswer }
  | { kind: 'refused'; status: number; message: string; retryAfter?: number }
  | { kind: 'unreachable'; message: string }

export interface ModellerTiming {
  /** Maximum milliseconds until new facts are on disk; more for large recordings, see `bytesASecond`. */
  saveEvery: number
  /**
   * The next save waits a second longer for each `bytesASecond` bytes of the recording, because a save writes all of
   * it.
   */
  bytesASecond: number
  /** Milliseconds to wait for the last records after a modelling has ended. */
  settle: number
  firstBackoff: number
  maxBackoff: number
}

export interface ModellerPorts {
  /** Name of the Node. */
  node: string
  files: RecordingFiles
  /** Sends a report to a manager. It has a timeout and never rejects. */
  send(report: ModelReport): Promise<ModelReply>
  /** SHA-256 in hexadecimal. */
  digest(text: string): string
  /** Called when a modeller starts, initially or after a failure: worker threads must send their known data again. */
  began?: (key: string) => void
  timing?: Partial<ModellerTiming>
  /** Memory quota for recordings. Default: the node's quota. */
  room?: NodeQuota
}

export const defaultModellerTiming: ModellerTiming = {
  saveEvery: 3_000,
  bytesASecond: 256 * 1024,
  settle: 5_000,
  firstBackoff: 1_000,
  maxBackoff: 60_000,
}
