import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '../base/logger.ts'
import { ApiError } from '../kube/api-error.ts'
import { ApiClient } from '../kube/client.ts'
import { ConfigError, type ConfigOptions, loadConfig } from '../kube/config.ts'
import { type Connection, KubeConnection } from '../kube/connection.ts'
import { PriorityLimiter } from '../kube/limiter.ts'
import { printable } from './output.ts'

/**
 * Connects to the cluster that the flags, the environment or our pod specify. If no cluster is configured, prints the
 * reason on standard error, and returns undefined.
 */
export function connect(options: ConfigOptions): KubeConnection | undefined {
  try {
    return new KubeConnection(loadConfig(options))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`error: ${printable(error.message)}\n`)
    return undefined
  }
}

/** vArmor's namespace: from the flag, else the namespace of our pod, else upstream's default. */
export const installNamespace = (given: string | undefined, connection: Connection): string =>
  given ?? (process.env['POD_NAMESPACE'] || (inPod() ? connection.namespace : 'varmor'))

export const inPod = (): boolean => process.env['KUBERNETES_SERVICE_HOST'] !== undefined

/** Delays before retries, in milliseconds. */
const tryAgain = { first: 500, max: 10_000 }
const timeout = 5_000

/**
 * Resolves when the API server answers. Waits without a limit.
 * @throws {ApiError} if the API server rejects our credentials, because waiting does not help then
 */
export async function apiServerThere(
  connection: Connection,
  logger: Pick<Logger, 'warn'>,
  signal: AbortSignal,
): Promise<void> {
  const limiter = new PriorityLimiter()
  const client = new ApiClient({ connection, limiter })
  try {
    for (let delay = tryAgain.first; ; delay = Math.min(2 * delay, tryAgain.max)) {
      const reason = await client.version({ signal, attempts: 1, deadline: timeout }).then(() => undefined, reasonOf)
      if (reason === undefined) return
      logger.warn({ url: connection.origin, reason, retryMs: delay }, 'the API server does not answer; retrying')
      await pause(delay, undefined, { signal })
    }
  } finally {
    limiter.close()
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ApiError && (error.code === 401 || error.code === 403)) throw error
  return error instanceof Error ? error.message : String(error)
}
