import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getSystemErrorName } from 'node:util'
import bindings from 'bindings'
import { parseAuditRules } from './audit-rules.ts'
import { AuditSourceError } from './audit-source-error.ts'
import type { AuditState } from './silence.ts'

declare const listener: unique symbol

/** A listener in native memory. Its thread ends with `close`, or when the thread that opened it ends. */
export interface AuditListener {
  readonly [listener]: true
}

/** All fields are required, because the addon does not have defaults. */
export interface ListenerOptions {
  /** Bytes of a batch, at least 131,072. This is twice the maximum length of a record that is not cut. */
  batchBytes: number
  /** Maximum waiting batches, at least 2. A listener holds at most `batches * batchBytes`. */
  batches: number
  /**
   * Milliseconds that a record waits for further records. While earlier batches are unread, it waits longer, so that a
   * slow reader gets larger batches.
   */
  flushMs: number
  /**
   * Milliseconds that the thread sleeps after it has emptied the socket, at most 1,000. Then it reads several records
   * at a time. 0: each record wakes the thread.
   */
  napMs: number
  /** Milliseconds between two reads of the kernel's counter of lost records. 0: only at the start and at the end. */
  sampleMs: number
  /** Bytes of the socket's receive buffer. Without CAP_NET_ADMIN the kernel limits it to net.core.rmem_max. */
  receiveBuffer: number
  /** If the kernel's limit of waiting records is lower, it is raised to this number. 0: do not change it. */
  backlogLimit: number
  /** 0, except in a bench: it passes an open socket with packets like the kernel's. The listener closes the socket. */
  feed: number
  /** The message types to pass on, as pairs of the first and the last type of a range. */
  types: Uint16Array
}

/**
 * Counts since `open`. They are also readable after `close`. When the listener has ended, received = passed + filtered
 * + foreign + malformed + truncated + discarded.
 */
export interface ListenerStats {
  received: number
  passed: number
  filtered: number
  /** Messages that did not come from the kernel, but from a process with CAP_NET_ADMIN. */
  foreign: number
  malformed: number
  truncated: number
  /** Messages that were received, but not read before `close`. */
  discarded: number
  /** Times that the socket reported ENOBUFS. */
  overruns: number
  /** Times that the thread had to wait for `read`. */
  stalls: number
  samples: number
  /** Filtered records about changes of the audit system's settings or rules. */
  configChanges: number
  /** Number of `configChanges` that removed a rule from the list `exclude`. */
  exclusionsRemoved: number
  /** The errno that ended the listener, or 0. */
  error: number
  /** Bytes of the receive buffer, as the kernel counts them: twice the requested number. */
  receiveBuffer: number
  /** Records for which the receive buffer was full. null before Linux 4.12, which does not count them. */
  socketDrops: number | null
  /**
   * This and the next values are null if the kernel does not answer: the agent needs CAP_AUDIT_CONTROL and the host's
   * PID namespace.
   */
  kernelLost: number | null
  kernelBacklog: number | null
  /** 0: off; 1: on; 2: on and locked. */
  auditEnabled: number | null
  /** PID of the running audit daemon, or 0. */
  auditd: number | null
  backlogLimitBefore: number | null
  backlogLimitAfter: number | null
  /** The errno with which the kernel refused to show or raise the limit; otherwise 0. */
  backlogError: number
}

/** The functions of the native module. They never block for more than 250 ms. */
export interface AuditAddon {
  /**
   * Joins the multicast group in the calling thread's network namespace, and starts the listener's thread. Calls `wake`
   * on the calling thread when there may be data to read, and at the end.
   * @throws an Error with `errno` and `step`
   */
  open(options: ListenerOptions, wake: () => void): AuditListener
  /**
   * Copies the oldest batch: lines `type=<number> <payload>\n`.
   * @param into memory with room for a batch
   * @returns its length in bytes; 0 if there is no batch now
   */
  read(listener: AuditListener, into: Uint8Array): number
  /** Leaves the group at once. Data that is already in the socket can still be read. */
  stop(listener: AuditListener): void
  /** Whether all data was read, and further data cannot arrive. */
  ended(listener: AuditListener): boolean
  /** Ends the thread, restores the kernel's backlog limit, and closes the sockets. A second call does nothing. */
  close(listener: AuditListener): void
  stats(listener: AuditListener): ListenerStats
  /**
   * Reads the kernel's whole log: lines `<priority>[time] text`, without escapes.
   * @throws an Error with `errno` and `step`
   */
  readKernelLog(): Buffer
  /**
   * Reads the kernel's audit switch (0 off, 1 on, 2 on and locked), and its rules of the lists `exclude` and `user`.
   * The length of each rule precedes the rule. Rejects within some seconds, with an Error with `errno` and `step`.
   */
  readAuditRules(): Promise<{ enabled: number; rules: Buffer }>
}

/**
 * Loads the addon that `npm run build:addon` builds.
 * @throws {AuditSourceError} ADDON_MISSING
 */
export function loadAuditAddon(): AuditAddon {
  const root = bindings.getRoot(fileURLToPath(import.meta.url))
  try {
    return bindings({ bindings: 'audit', module_root: join(root, 'native', 'addon') }) as AuditAddon
  } catch (cause) {
    throw new AuditSourceError(
      'ADDON_MISSING',
      'load the native audit addon',
      'build it with `npm run build:addon`, which needs gcc, g++, make and python3',
      {},
      { cause },
    )
  }
}

/**
 * The kernel's log as a text with one character for each byte.
 * @throws {AuditSourceError} ADDON_MISSING; NOT_PERMITTED without CAP_SYSLOG; SYSTEM
 */
export function readKernelLogNow(): string {
  const addon = loadAuditAddon()
  try {
    return addon.readKernelLog().toString('latin1')
  } catch (error) {
    throw explainOpenError(error)
  }
}

/**
 * Reads the kernel's audit switch and rules.
 * @throws {AuditSourceError} ADDON_MISSING; AUDIT_OFF; NOT_PERMITTED; SYSTEM
 */
export async function readAuditState(): Promise<AuditState> {
  const addon = loadAuditAddon()
  try {
    const { enabled, rules } = await addon.readAuditRules()
    return { enabled, rules: parseAuditRules(rules) }
  } catch (error) {
    throw explainOpenError(error)
  }
}

/** Turns an error of `open` into an AuditSourceError. Returns any other error unchanged. */
export function explainOpenError(error: unknown): unknown {
  if (!(error instanceof Error) || !('errno' in error) || !('step' in error)) return error
  const { errno, step } = error
  if (typeof errno !== 'number' || typeof step !== 'string') return error
  return systemError(errno, step, error)
}

/** The typed error for a failed system call of the listener. `errno` is positive, as in C. */
export function systemError(errno: number, step: string, cause?: Error): AuditSourceError {
  const context = { step, errno: getSystemErrorName(-errno) }
  const options = cause === undefined ? undefined : { cause }
  const { EPROTONOSUPPORT, EPERM, ECONNREFUSED, E2BIG } = constants.errno
  if ((step === 'socket' || step === 'rules') && errno === EPROTONOSUPPORT) {
    const remedy = 'start the kernel without audit=0'
    return new AuditSourceError('AUDIT_OFF', 'open an audit socket', remedy, context, options)
  }
  if (step === 'join' && errno === EPERM) {
    const remedy = 'give the process the capability AUDIT_READ, in the initial user namespace'
    return new AuditSourceError('NOT_PERMITTED', "join the audit log's multicast group", remedy, context, options)
  }
  if (step === 'rules') {
    const isRefused = errno === EPERM || errno === ECONNREFUSED
    const remedy = isRefused
      ? 'give the process the capability AUDIT_CONTROL, in the initial user and PID namespaces (hostPID: true)'
      : errno === E2BIG
        ? 'reduce the rules of the lists exclude and user to 1,024'
        : 'see errno; retrying'
    const code = isRefused ? 'NOT_PERMITTED' : 'SYSTEM'
    return new AuditSourceError(code, "read the rules of the kernel's audit", remedy, context, options)
  }
  if (step === 'syslog' && errno === EPERM)
    return new AuditSourceError(
      'NOT_PERMITTED',
      'read the log of the kernel',
      'give the process CAP_SYSLOG',
      context,
      options,
    )
  return new AuditSourceError('SYSTEM', `listen to audit records: ${step}`, 'see errno', context, options)
}
