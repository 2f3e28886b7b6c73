import type { UnresolvedReason } from '../batch/batch.ts'
import type { ProcessFacts } from './process-facts.ts'

/**
 * Seconds by which the kernel's time stamp of an event may be too early. The stamp is the time of the last tick, and
 * ticks stop while a host does not run the virtual processor that keeps the time. 50 ms were seen.
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
  /** Unix seconds of a moment at which the process certainly lived, if known. */
  confirmed?: number
  /**
   * The Unix second of the events for which the answer is valid, if it is limited: before and after, the pid may belong
   * to another process. NaN: valid for one moment.
   */
  second?: number
  /**
   * Whether this is the place of the process's parents, because the process itself was not seen. If they were in no
   * container, the process may have been put into one.
   */
  inherited?: boolean
  /** Facts about the process itself, if it lived at the time of the lookup. */
  process?: ProcessFacts
  /** Set if the answer is certain, and valid for other seconds, too, while the process has its pid. */
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

/** Why a resolver found no process. */
export type NoProcess = Extract<UnresolvedReason, 'process-gone' | 'pid-reused' | 'lookup-limit'>

/**
 * Finds the container of a process. It is called once for each process and batch, so it may be slow, but it is not
 * asynchronous.
 */
export interface PidResolver {
  /** Starts a batch whose events are all in the past. Answers describe the state after them. */
  beginBatch(): void
  /**
   * @param pid in the node's pid namespace
   * @param eventTime Unix seconds of the event, with a fraction if the record has one; the process lived then
   * @param payer the owner charged for a slow lookup
   */
  resolve(pid: number, eventTime: number, payer: string): Membership | NoProcess
  /**
   * A number that does not change while answers for a second stay valid for the rest of that second. Called once for
   * each batch; absent if the resolver gives no answers for a second.
   */
  reuses?(): number
  /** Whether the process's program must be looked up again. */
  isDue?(fork: LivingFork): boolean
  /** The process that has the pid now. A resolver for old logs lacks this, because it cannot look up processes. */
  living?(pid: number, payer: string): Membership | undefined
}

/** A resolver that knows no process, for old logs, whose processes no longer exist. */
export const noProcesses: PidResolver = { beginBatch: () => undefined, resolve: () => 'process-gone' }
