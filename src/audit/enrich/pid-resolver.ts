import type { UnresolvedReason } from '../batch/batch.ts'
import type { ProcessFacts } from './process-facts.ts'

/**
 * Seconds by which the kernel's time stamp of an event may be too early. It is the time of the last tick, and ticks
 * stop while a host does not run the virtual processor that keeps the time; 50 ms were seen.
 */
export const stampLag = 1

/** Where a process is or was. */
export interface Membership {
  /** Id of its container; empty if its cgroup names none. */
  containerID: string
  /** Inode number of its mount namespace; 0 if it could not be read. */
  mntNsID: number
  /** Unix seconds of the process's start: earlier events of this pid belong to another process. */
  since: number
  /**
   * The same in ticks since boot, from /proc, if it was read: together with the pid, it identifies a process for ever.
   */
  startTicks?: number
  /** Path of its cgroup, if it was read. */
  cgroupPath?: string
  /**
   * The path of its cgroup cannot be read. Other facts do not identify its container, because it may be in another
   * container's mount namespace.
   */
  unplaced?: true
  /** Unix seconds of a moment at which it certainly lived, if known. */
  confirmed?: number
  /**
   * Set if it is valid only for events of this second: before and after, the pid may belong to another process. NaN:
   * valid for one moment.
   */
  second?: number
  /**
   * The process itself was not seen: this is its parents' place. If they were in no container, it may have been put
   * into one.
   */
  inherited?: boolean
  /** Facts about the process itself, if it lived at the lookup. */
  process?: ProcessFacts
  /** Set if it is certain, and valid for other seconds, too, while the process has its pid. */
  fork?: LivingFork
}

/** A living process in a container, in the fork tree. */
export interface LivingFork {
  /** Number of the tree. */
  tree: number
  key: number
  /** Seconds of CLOCK_MONOTONIC after which /proc is asked again which program it runs. */
  until: number
}

/** Why a resolver found no process. */
export type NoProcess = Extract<UnresolvedReason, 'process-gone' | 'pid-reused' | 'lookup-limit'>

/** Finds a process's container: called once for each process and batch, so it may be slow, but not asynchronous. */
export interface PidResolver {
  /** Starts a batch whose events are all in the past: later answers describe the state after them. */
  beginBatch(): void
  /**
   * @param pid in the node's pid namespace
   * @param eventTime Unix seconds of the event, with a fraction if the record has one; the process lived then
   * @param payer the owner charged for a slow lookup
   */
  resolve(pid: number, eventTime: number, payer: string): Membership | NoProcess
  /**
   * A number that stays the same while answers for a second stay valid for the rest of it. Called once for each batch;
   * absent if the resolver gives no such answers.
   */
  reuses?(): number
  /** Whether the process's program must be looked up again. */
  isDue?(fork: LivingFork): boolean
  /** The process that has the pid now. Absent in a resolver for old logs, which cannot look anything up. */
  living?(pid: number, payer: string): Membership | undefined
}

/** Knows no process: for old logs, whose processes no longer exist. */
export const noProcesses: PidResolver = { beginBatch: () => undefined, resolve: () => 'process-gone' }
