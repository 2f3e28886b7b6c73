import type { EventEmitter } from 'node:events'
import type { LogFields } from '../base/log-fields.ts'
import type { Logger } from '../base/logger.ts'

/** A part of the program that runs until it gets a signal. */
export interface Role {
  /** Resolves when the role runs. Rejects if it cannot start. */
  start(): Promise<void>
  /** Stops the role. Also works if the role has not started, or has started only in part. */
  stop(): Promise<void>
  /** The status of the role, for the log. */
  readonly status?: object
}

export interface RoleOptions {
  /** Name of the role, for the log. */
  name: string
  logger: Pick<Logger, 'info' | 'error'>
  /** The source of SIGTERM, SIGINT and SIGUSR1, normally the process. */
  signals: EventEmitter
  /**
   * Milliseconds for the role to stop. It must be less than the termination period of the pod, which is 30 s by
   * default.
   */
  timeout?: number
}

/**
 * Runs the role until SIGTERM or SIGINT. A second signal ends it at once. SIGUSR1 logs its status. Returns the exit
 * status.
 */
export async function runRole(role: Role, { name, logger, signals, timeout = 25_000 }: RoleOptions): Promise<number> {
  const ending = signalled(signals)
  const logStatus = (): void => logger.info({ status: role.status }, 'status')
  signals.on('SIGUSR1', logStatus)
  try {
    await Promise.race([role.start(), ending])
    const signal = await ending
    logger.info({ signal }, `the ${name} is stopping`)
    const late = limit(timeout, signalled(signals))
    const how = await Promise.race([role.stop().then(() => 'done' as const), late.over]).finally(late.cancel)
    if (how === 'done') logger.info({}, `the ${name} has stopped`)
    else if (how === 'told again')
      logger.error({ status: role.status }, `a second signal stopped the ${name} at once; unfinished work is lost`)
    else
      logger.error(
        { durationMs: timeout, status: role.status },
        `the ${name} did not stop in time; unfinished work is lost`,
      )
    return how === 'done' ? 0 : 1
  } catch (error) {
    logger.error(fieldsOf(error), `the ${name} failed and stops`)
    const late = limit(timeout, signalled(signals))
    await Promise.race([role.stop().catch(() => undefined), late.over]).finally(late.cancel)
    return 1
  } finally {
    signals.off('SIGUSR1', logStatus)
  }
}

/** The next SIGTERM or SIGINT. */
function signalled(signals: EventEmitter): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) signals.once(signal, () => resolve(signal))
  })
}

function limit(timeout: number, again: Promise<unknown>): { over: Promise<'late' | 'told again'>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<'late' | 'told again'>((resolve) => {
    timer = setTimeout(() => resolve('late'), timeout)
    void again.then(() => resolve('told again'))
  })
  return { over, cancel: () => clearTimeout(timer) }
}

/**
 * The log fields of an error. Errors of the system, the cluster or an enforcer are for users, so their text is enough.
 * A bug needs its stack.
 */
function fieldsOf(error: unknown): LogFields {
  if (!(error instanceof Error)) return { reason: String(error) }
  const { code, message, reason } = error as NodeJS.ErrnoException & { reason?: string }
  if (code === undefined) return { err: error }
  // An EnforcerError has its whole text in `reason`, but an ApiError has only one word in `reason`.
  return { code, reason: reason !== undefined && reason.length > message.length ? reason : message }
}

/** Ends the process with this status after a second, even if a timer or a socket keeps it alive. */
export function endWith(status: number): void {
  process.exitCode = status
  setTimeout(() => process.exit(), 1_000).unref()
}
