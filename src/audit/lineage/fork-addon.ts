import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { loadAuditAddon } from '../source/audit-addon.ts'
import { AuditSourceError } from '../source/audit-source-error.ts'

/** Every field is required: the native side has no defaults. */
export interface ForkOptions {
  /** Processes that are known at a time, living and dead: 64 bytes each. At most 1,048,576. */
  entries: number
  /** Bytes of the socket's receive buffer. */
  receiveBuffer: number
  /**
   * The thread sleeps this long between two looks, at most 1,000 ms. Whoever asks takes what has come, so a long nap
   * makes no answer late, and a short one keeps the buffer empty.
   */
  napMs: number
  /** A proc file system that shows the node's processes. */
  procRoot: string
  /**
   * Where the maps of BPF programs are pinned that say what becomes of processes, for one reader at a time; null: the kernel's process
   * connector says it.
   */
  folder: string | null
}

/** What is known of the process that had a pid at some time, or of the processes, if it changed hands. */
export interface ForkAnswer {
  /** Container of all of them; empty where it is not known or not the same. */
  containerID: string
  /** Unix seconds of the start of the oldest one. */
  since: number
  processes: number
  /** A living process of which /proc may say more, itself or its nearest living ancestor; 0 for none. */
  ask: number
  /** Of the process to ask. */
  key: number
  /** The process to ask is the one that is meant. */
  itself: boolean
}

/** Counts since `openForks`. */
export interface ForkStats {
  forks: number
  exits: number
  /** Messages that a process sent, not the kernel. */
  forged: number
  malformed: number
  /** Times that events were lost because the socket's buffer, or the ring, was full. */
  overruns: number
  /** Messages, or changes, that were lost so. null: kernels before 4.12 do not say. */
  socketDrops: number | null
  /** Readings of all of /proc: one at the start, and one after each loss. */
  scans: number
  failedScans: number
  clockSteps: number
  /** Pids that came back soon after their last process, and times that events were lost. null where nobody knows. */
  reuses: number | null
  /** Entries in use, and those of living processes. */
  known: number
  living: number
  /** Forks that found no room, because all entries were of living processes. */
  full: number
  /** Times that a container could not be noted: processes live in as many others as there is room for. */
  unlabelled: number
  /** The errno that ended the thread, or 0. */
  error: number
}

/** The functions of the native module that follow the node's forks. A tree has a number, by which all threads use it. */
export interface ForkAddon {
  /**
   * Reads all of /proc, which blocks for some milliseconds. The tree ends with the thread that opened it.
   * @throws an Error with `errno` and `step`
   */
  openForks(options: ForkOptions): number
  /**
   * Who had the pid between two times, in unix seconds. null where that is not certain: events were lost, the time is
   * long past, the tree is closed.
   */
  findFork(tree: number, pid: number, earliest: number, latest: number): ForkAnswer | null
  /** A key for the process that has the pid now. */
  livingFork(tree: number, pid: number): number | null
  /**
   * Notes the container of a process. With an empty id it only answers.
   * @returns whether the process still lives, so that what /proc said of its pid since the key was given is its own
   */
  labelFork(tree: number, key: number, containerID: string): boolean
  /** Notes the container of the one process that got the pid between two times. @returns whether there was just one */
  labelStartedFork(tree: number, pid: number, earliest: number, latest: number, containerID: string): boolean
  /** Lets nobody inherit from a process any more. */
  barFork(tree: number, key: number): void
  forkStats(tree: number): ForkStats | null
  /** Ends the thread. A second call does nothing. */
  closeForks(tree: number): void
}

/** @throws {AuditSourceError} ADDON_MISSING, also for one that was built before it had these functions */
export function loadForkAddon(): ForkAddon {
  const addon: Partial<ForkAddon> = loadAuditAddon() as object
  if (addon.openForks === undefined)
    throw new AuditSourceError('ADDON_MISSING', 'follow forks', 'build the native addon anew: `npm run build:addon`')
  return addon as ForkAddon
}

const steps = new Set(['bind', 'listen', 'answer'])

/** The reason of a failed `openForks` in words of this project; anything else is returned as it is. */
export function explainForkError(error: unknown): unknown {
  if (!(error instanceof Error) || !('errno' in error) || !('step' in error)) return error
  const { errno, step } = error
  if (typeof errno !== 'number' || typeof step !== 'string') return error
  const { EPERM, ECONNREFUSED, ETIMEDOUT, EPROTONOSUPPORT } = constants.errno
  const context = { step, errno: getSystemErrorName(-errno) }
  const fail = (code: AuditSourceError['code'], message: string, remedy: string): AuditSourceError =>
    new AuditSourceError(code, message, remedy, context, { cause: error })
  if (steps.has(step) && errno === EPERM)
    return fail('NOT_PERMITTED', 'ask for reports of forks', 'give the process the capability NET_ADMIN')
  if (step === 'listen' && errno === ECONNREFUSED)
    return fail('WRONG_NETWORK', 'ask for reports of forks outside the host network', 'run with hostNetwork: true')
  if (step === 'answer' && errno === ETIMEDOUT)
    return fail(
      'WRONG_PROCESSES',
      'receive reports of forks',
      "run in the host's PID and user namespace (hostPID: true), on a kernel with CONFIG_PROC_EVENTS",
    )
  if (step === 'socket' && errno === EPROTONOSUPPORT)
    return fail('NO_CONNECTOR', 'open a connector', 'use a kernel with CONFIG_CONNECTOR and CONFIG_PROC_EVENTS')
  return fail('SYSTEM', `follow forks: ${step}`, 'see errno')
}
