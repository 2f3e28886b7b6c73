import type { LogField } from '../../base/log-fields.ts'

/**
 * Why an audit source, or the fork reports, cannot be opened.
 * - ADDON_MISSING: the native addon is not built, or is built for another Node.js
 * - AUDIT_OFF: the kernel has no audit subsystem, or was started with audit=0
 * - NOT_PERMITTED: a capability is missing
 * - WRONG_NETWORK: the process is not in the host's network namespace, and the kernel sends records only there
 * - WRONG_PROCESSES: the process is not in the host's PID namespace, and the kernel reports forks only there
 * - NO_CONNECTOR: the kernel does not report forks
 * - MISSING: the file does not exist
 * - SYSTEM: any other failed system call
 */
export type AuditSourceCode =
  | 'ADDON_MISSING'
  | 'AUDIT_OFF'
  | 'NOT_PERMITTED'
  | 'WRONG_NETWORK'
  | 'WRONG_PROCESSES'
  | 'NO_CONNECTOR'
  | 'MISSING'
  | 'SYSTEM'

/** An audit source cannot be opened, or broke. The caller uses another source and logs `remedy`. */
export class AuditSourceError extends Error {
  override readonly name = 'AuditSourceError'
  readonly code: AuditSourceCode
  /** What the administrator can do. */
  readonly remedy: string
  /** Facts about the failed step, such as its name and errno. */
  readonly context: Readonly<Partial<Record<LogField, string | number>>>

  constructor(
    code: AuditSourceCode,
    message: string,
    remedy: string,
    context: Partial<Record<LogField, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.remedy = remedy
    this.context = context
  }
}
