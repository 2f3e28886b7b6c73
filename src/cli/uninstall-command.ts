import { systemClock } from '../base/clock.ts'
import { ApiError, ConnectionError } from '../kube/api-error.ts'
import { ApiClient } from '../kube/client.ts'
import { PriorityLimiter } from '../kube/limiter.ts'
import { ElsewhereError, uninstall } from '../manager/uninstall.ts'
import { connect, inPod, installNamespace } from './cluster.ts'
import { misuse } from './misuse.ts'
import { printable } from './output.ts'
import { type LogFormat, roleLogger } from './role-logger.ts'

export interface UninstallArguments {
  kubeconfig?: string
  context?: string
  namespace?: string
  managerDeployment: string
  agentDaemonset: string
  ofHelm: boolean
  keepPolicies: boolean
  patience: number
  logFormat: LogFormat
  verbosity: number
}

/** Removes what vArmor has made in a cluster, but for pods that do not end, which it names. Returns the exit status: 1 when the cluster refuses or does not answer, 2 when vArmor is elsewhere, or not of Helm as was asked. */
export async function uninstallCommand(given: UninstallArguments): Promise<number> {
  const { kubeconfig, context, logFormat: format, verbosity } = given
  const connection = connect({
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
  })
  if (connection === undefined) return 1
  const client = new ApiClient({ connection, limiter: new PriorityLimiter({ qps: 50, burst: 100 }) })
  const logger = roleLogger({ format, verbosity })
  try {
    const pods = await uninstall({
      ...{ client, logger, clock: systemClock, keepPolicies: given.keepPolicies },
      ...{ manager: given.managerDeployment, agent: given.agentDaemonset, patience: given.patience * 1_000 },
      namespace: installNamespace(given.namespace, connection),
      // The chart's own Job, which may not look elsewhere.
      areCertain: inPod(),
      ofHelm: given.ofHelm,
    })
    // What an agent has done on its node at its end, it has said in its own log alone.
    if (pods.length === 0)
      logger.info(
        {},
        'what managers and agents made in the API server is gone; where an agent was killed, or got no answer from the API server, its profiles may be in force on its node still',
      )
    else logger.warn({ pods }, 'these pods still run, and what they have loaded stays until they end')
    return 0
  } catch (error) {
    if (error instanceof ElsewhereError) {
      process.stderr.write(`error: ${printable(error.message)}\n`)
      return misuse
    }
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error
    process.stderr.write(`error: ${printable(error.message)}; what is left is removed by the same command again\n`)
    return 1
  } finally {
    await client.close()
  }
}
