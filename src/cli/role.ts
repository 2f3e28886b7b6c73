import type { EventEmitter } from 'node:events'
import type { LogFields } from '../base/log-fields.ts'
import type { Logger } from '../base/logger.ts'

/** A program part that runs until a signal ends it. */
export interface Role {
  /** Resolves when it runs. @throws when it cannot start */
  start(): Promise<void>
  /** Ends it, even if it has not, or only partly, started. */
  stop(): Promise<void>
  /** Its status, for a log line. */
  readonly status?: object
}

export interface RoleOptions {
  /** For the log. */
  name: string
  logger: Pick<Logger, 'info' | 'error'>
  /** Emits SIGTERM, SIGINT and SIGUSR1: the process. */
  signals: EventEmitter
  /** Milliseconds for a graceful end: less than the pod's termination period, 30 s by default. */
  timeout?: number
}

/**
 * Runs the role until SIGTERM or SIGINT; a second one ends it at once. SIGUSR1 logs its status. Returns the exit
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

/** Errors of the system, the cluster or an enforcer are for users, and their text is enough; a bug needs its stack. */
function fieldsOf(error: unknown): LogFields {
  if (!(error instanceof Error)) return { reason: String(error) }
  const { code, message, reason } = error as NodeJS.ErrnoException & { reason?: string }
  if (code === undefined) return { err: error }
  // An EnforcerError has the whole text in its reason, an ApiError only a word.
  return { code, reason: reason !== undefined && reason.length > message.length ? reason : message }
}

/** Ends the process with this status, even if something that ends late keeps it alive. */
export function endWith(status: number): void {
  process.exitCode = status
  setTimeout(() => process.exit(), 1_000).unref()
}
