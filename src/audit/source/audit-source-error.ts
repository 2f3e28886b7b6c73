import type { LogField } from '../../base/log-fields.ts'

/** The reason why an audit source or the fork reports cannot be opened. */
export type AuditSourceCode =
  /** The native addon is not built, or is built for another Node.js. */
  | 'ADDON_MISSING'
  /** The kernel has no audit subsystem, or was started with audit=0. */
  | 'AUDIT_OFF'
  /** A capability is missing. */
  | 'NOT_PERMITTED'
  /** The process is not in the host's network namespace. The kernel sends records only to this namespace. */
  | 'WRONG_NETWORK'
  /** The process is not in the host's PID namespace. The kernel reports forks only to this namespace. */
  | 'WRONG_PROCESSES'
  /** The kernel does not report forks. */
  | 'NO_CONNECTOR'
  /** The file does not exist. */
  | 'MISSING'
  /** Any other failed system call. */
  | 'SYSTEM'

/** An audit source cannot be opened, or has failed. The caller uses another source and logs `remedy`. */
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
