import type { UnresolvedReason } from '../batch/batch.ts'
import type { ProcessFacts } from './process-facts.ts'

/** Where a process is or was. */
export interface Membership {
  /** Id of its container; empty where its cgroup names none. */
  containerID: string
  /** Inode number of its mount namespace; 0 where it could not be read. */
  mntNsID: number
  /** Unix seconds of the start of the process: earlier events of this pid are another process's. */
  since: number
  /** Set where it was found for events of this second, and may be another process's before and after. */
  second?: number
  /** The process was not seen itself: this is where its parents were. One of no container may have been put into one. */
  inherited?: boolean
  /** Of the process itself, where it lived when it was asked for. */
  process?: ProcessFacts
}

/** The way from a process to its container: asked once per process and batch, so it may be slow, but not asynchronous. */
export interface PidResolver {
  /** Answers that named a place hold while this number stays the same. */
  readonly generation: number
  /**
   * @param pid in the node's pid namespace.
   * @param eventTime unix seconds of the event; the process that is asked for lived then.
   */
  resolve(pid: number, eventTime: number): Membership | Extract<UnresolvedReason, 'process-gone' | 'pid-reused'>
}

/** Knows no process: for old logs, whose processes are long gone. */
export const noProcesses: PidResolver = { generation: 0, resolve: () => 'process-gone' }
