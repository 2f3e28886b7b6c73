import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { loadAuditAddon } from '../source/audit-addon.ts'
import { AuditSourceError } from '../source/audit-source-error.ts'

/** All fields are required, because the addon does not have defaults. */
export interface ForkOptions {
  /** Maximum known processes, living and dead; each takes 64 bytes. At most 1,048,576. */
  entries: number
  /** Bytes of the socket's receive buffer. */
  receiveBuffer: number
  /**
   * Milliseconds that the thread sleeps between two reads, at most 1,000. A short sleep keeps the buffer empty. A long
   * sleep does not delay answers, because a query first reads all events that have arrived.
   */
  napMs: number
  /** A proc file system with the node's processes. */
  procRoot: string
  /**
   * Folder with the pinned maps of the BPF programs that report processes. Only one reader may use the maps at a time.
   * null: use the kernel's process connector.
   */
  folder: string | null
}

/**
 * Facts about the process that had a pid at some time. If the pid was reused, the facts are about all its processes.
 */
export interface ForkAnswer {
  /** The container of all these processes; empty if it is unknown, or if they are in different containers. */
  containerID: string
  /** Unix seconds of the start of the oldest process. */
  since: number
  /** Number of these processes. */
  processes: number
  /**
   * Pid of a living process to look up in /proc: the process itself or its nearest living ancestor. 0 without such a
   * process.
   */
  ask: number
  /** Key of the process with the pid `ask`. */
  key: number
  /** Whether `ask` is the process itself, not an ancestor. */
  itself: boolean
}

/** Counts since `openForks`. */
export interface ForkStats {
  forks: number
  exits: number
  /** Messages that did not come from the kernel, but from a process. */
  forged: number
  malformed: number
  /** Times that events were lost because the socket's buffer or the ring was full. */
  overruns: number
  /** Number of lost messages or changes. null before Linux 4.12, which does not count them. */
  socketDrops: number | null
  /** Complete scans of /proc: one at the start, and one after each loss. */
  scans: number
  failedScans: number
  clockSteps: number
  /** Number of pids that were reused soon after their last process ended, plus `overruns`. null if unknown. */
  reuses: number | null
  /** `known` is the number of used entries; `living` is the number of entries of living processes. */
  known: number
  living: number
  /** Forks without an entry, because living processes used all entries. */
  full: number
  /**
   * Times that a container could not be stored, because living processes already use the maximum number of containers.
   */
  unlabelled: number
  /** The errno that ended the thread, or 0. */
  error: number
}

/** The functions of the native module that follow the node's forks. A thread refers to a tree by its number. */
export interface ForkAddon {
  /**
   * Scans all of /proc, which blocks for some milliseconds. The tree ends with the thread that opened it.
   * @throws an Error with `errno` and `step`
   */
  openForks(options: ForkOptions): number
  /**
   * Finds the process that had the pid between two times, in Unix seconds. null if the process is not certain: events
   * were lost, the time is too long ago, or the tree is closed.
   */
  findFork(tree: number, pid: number, earliest: number, latest: number): ForkAnswer | null
  /** The key of the pid's current process. */
  livingFork(tree: number, pid: number): number | null
  /**
   * Stores a process's container. An empty id does not store a container.
   * @returns whether the process still lives. If so, all facts that the caller has read from /proc about the pid, since
   * it got the key, are about this process
   */
  labelFork(tree: number, key: number, containerID: string): boolean
  /**
   * Stores the container of the only process that got the pid between two times, in Unix seconds.
   * @returns whether exactly one process got the pid
   */
  labelStartedFork(tree: number, pid: number, earliest: number, latest: number, containerID: string): boolean
  /** Stops children from inheriting this process's container: they may really be children of other processes. */
  barFork(tree: number, key: number): void
  forkStats(tree: number): ForkStats | null
  /** Ends the thread. A second call does nothing. */
  closeForks(tree: number): void
}

/** @throws {AuditSourceError} ADDON_MISSING if the addon is missing, or an older addon lacks these functions */
export function loadForkAddon(): ForkAddon {
  const addon: Partial<ForkAddon> = loadAuditAddon() as object
  if (addon.openForks === undefined)
    throw new AuditSourceError('ADDON_MISSING', 'follow forks', 'rebuild the native addon: `npm run build:addon`')
  return addon as ForkAddon
}

const steps = new Set(['bind', 'listen', 'answer'])

/** Turns an error of `openForks` into an AuditSourceError. Returns any other error unchanged. */
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
