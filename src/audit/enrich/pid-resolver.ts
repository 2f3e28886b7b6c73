import type { UnresolvedReason } from '../batch/batch.ts'
import type { ProcessFacts } from './process-facts.ts'

/**
 * Seconds that an event may be younger than the kernel's stamp of it says. The stamp is that of the last tick, and there is
 * none while the processor of a virtual machine that keeps the time is not run by its host, though others go on: 50 ms were seen.
 */
export const stampLag = 1

/** Where a process is or was. */
export interface Membership {
  /** Id of its container; empty where its cgroup names none. */
  containerID: string
  /** Inode number of its mount namespace; 0 where it could not be read. */
  mntNsID: number
  /** Unix seconds of the start of the process: earlier events of this pid are another process's. */
  since: number
  /** The same in ticks since the boot, as /proc has it, where it was read: with the pid, it names a process for ever. */
  startTicks?: number
  /** Of its cgroup, where it was read. */
  cgroupPath?: string
  /** The path of its cgroup cannot be read. What else is known of the process names no container: it may be in another one's mount namespace. */
  unplaced?: true
  /** Unix seconds of a moment at which it surely lived, where one is known. */
  confirmed?: number
  /**
   * Set where it was found for events of this second, and may be another process's before and after; NaN where it was found for one
   * moment.
   */
  second?: number
  /** The process was not seen itself: this is where its parents were. One of no container may have been put into one. */
  inherited?: boolean
  /** Of the process itself, where it lived when it was asked for. */
  process?: ProcessFacts
  /** Set where it is known for certain, and for other seconds, too, as long as the process has its pid. */
  fork?: LivingFork
}

/** A living process in a container, as the fork tree knows it. */
export interface LivingFork {
  /** Number of the tree. */
  tree: number
  key: number
  /** Seconds of CLOCK_MONOTONIC from which on /proc is asked again what it runs. */
  until: number
}

/** Why a resolver knows of no process. */
export type NoProcess = Extract<UnresolvedReason, 'process-gone' | 'pid-reused' | 'lookup-limit'>

/** The way from a process to its container: asked once per process and batch, so it may be slow, but not asynchronous. */
export interface PidResolver {
  /** A batch begins, and all of its events are past: what is asked for from now on is the state after them. */
  beginBatch(): void
  /**
   * @param pid in the node's pid namespace.
   * @param eventTime unix seconds of the event, with a fraction where the record has one; the process that is asked for lived then.
   * @param payer on whose account a slow look is made.
   */
  resolve(pid: number, eventTime: number, payer: string): Membership | NoProcess
  /**
   * A number that stays the same while what was said of a second holds for the rest of it, too. Asked for once a batch; absent
   * in a resolver that says nothing of seconds.
   */
  reuses?(): number
  /** Whether it has to be asked again what the process runs. */
  isDue?(fork: LivingFork): boolean
  /** The process that has the pid now. Absent in a resolver for old logs, where nothing can be looked up. */
  living?(pid: number, payer: string): Membership | undefined
}

/** Knows no process: for old logs, whose processes are long gone. */
export const noProcesses: PidResolver = { beginBatch: () => undefined, resolve: () => 'process-gone' }
