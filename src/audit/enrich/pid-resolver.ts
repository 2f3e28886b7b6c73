import type { UnresolvedReason } from '../batch/batch.ts'
import type { ProcessFacts } from './process-facts.ts'

/**
 * Seconds by which the kernel's time stamp of an event may be too early. The stamp is the time of the last tick, and
 * ticks stop while a host does not run the virtual processor that keeps the time. 50 ms were seen.
 */
export const stampLag = 1

/** The container, mount namespace and start of a process. */
export interface Membership {
  /** Id of its container; empty if its cgroup does not contain an id. */
  containerID: string
  /** Inode number of its mount namespace; 0 if it could not be read. */
  mntNsID: number
  /** Unix seconds of the process's start: earlier events of this pid belong to another process. */
  since: number
  /**
   * `since` in ticks since boot, from /proc, if it was read. Together with the pid, it identifies a process for ever.
   */
  startTicks?: number
  /** Path of its cgroup, if it was read. */
  cgroupPath?: string
  /**
   * Whether the path of its cgroup cannot be read. Other facts do not identify its container, because the process may
   * be in another container's mount namespace.
   */
  unplaced?: true
  /** Unix seconds of a time at which the process certainly lived, if known. */
  confirmed?: number
  /**
   * If present, the answer is valid only for events of this Unix second, because at other times the pid may belong to
   * another process. NaN: valid only for the event's own time.
   */
  second?: number
  /**
   * Whether this is the place of the process's parents, because the process itself was not seen. If its parents were
   * outside all containers, the process may still have been put into a container.
   */
  inherited?: boolean
  /** Facts about the process itself, if it was alive at the look-up. */
  process?: ProcessFacts
  /** Set if the answer is certain. While this process lives, the answer is also valid for other seconds. */
  fork?: LivingFork
}

/** A living process in a container, in the fork tree. */
export interface LivingFork {
  /** Number of the tree. */
  tree: number
  key: number
  /** Seconds of CLOCK_MONOTONIC after which the program that it runs must be read from /proc again. */
  until: number
}

/** Why a resolver did not find the process. */
export type NoProcess = Extract<UnresolvedReason, 'process-gone' | 'pid-reused' | 'lookup-limit'>

/**
 * Finds the container of a process. `resolve` is synchronous. It may be slow, because it is called once for each
 * process and batch.
 */
export interface PidResolver {
  /** Starts a batch. All its events have happened, so answers describe the state after the events. */
  beginBatch(): void
  /**
   * @param pid in the node's pid namespace
   * @param eventTime Unix seconds of the event, with the record's fraction. The process was alive at this time
   * @param payer the owner whose budget pays for a slow look-up
   */
  resolve(pid: number, eventTime: number, payer: string): Membership | NoProcess
  /**
   * A number. While it is the same, answers for a second stay valid for the rest of this second. Called once for each
   * batch; absent if the resolver does not give answers for a second.
   */
  reuses?(): number
  /** Whether the program that the process runs must be looked up again. */
  isDue?(fork: LivingFork): boolean
  /** Finds the pid's current process. A resolver for old logs cannot look up processes, so it lacks this function. */
  living?(pid: number, payer: string): Membership | undefined
}

/** A resolver for old logs. Their processes have ended, so it does not find any process. */
export const noProcesses: PidResolver = { beginBatch: () => undefined, resolve: () => 'process-gone' }
