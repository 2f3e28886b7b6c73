import { systemClock } from '../base/clock.ts'
import { ApiError, ConnectionError } from '../kube/api-error.ts'
import { ApiClient } from '../kube/client.ts'
import { PriorityLimiter } from '../kube/limiter.ts'
import { ElsewhereError, uninstall } from '../manager/uninstall.ts'
import type { UninstallArguments } from '../options/uninstall.ts'
import { connect, inPod, installNamespace } from './cluster.ts'
import { misuse } from './misuse.ts'
import { printable } from './output.ts'
import { roleLogger } from './role-logger.ts'

/**
 * Removes everything that vArmor created in a cluster. Lists pods that do not stop. Returns the exit status: 1 if the
 * cluster refuses or does not answer; 2 if vArmor is installed in another namespace, or if --of-helm is set and Helm
 * did not install vArmor.
 */
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
      ...{ manager: given.managerDeployment, agent: given.agentDaemonset, timeout: given.timeout * 1_000 },
      namespace: installNamespace(given.namespace, connection),
      // In a pod, the namespace is certain: RBAC does not allow the chart's Job to search other namespaces.
      areCertain: inPod(),
      ofHelm: given.ofHelm,
    })
    // The API server does not know whether a node has removed its profiles: only the log of the node's agent shows it.
    if (pods.length === 0)
      logger.info(
        {},
        'removed everything that managers and agents created in the API server; profiles may remain on nodes whose agent was killed or could not reach the API server',
      )
    else logger.warn({ pods }, 'these pods still run; the profiles that they loaded stay until they stop')
    return 0
  } catch (error) {
    if (error instanceof ElsewhereError) {
      process.stderr.write(`error: ${printable(error.message)}\n`)
      return misuse
    }
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error
    process.stderr.write(`error: ${printable(error.message)}; run the same command again to remove the rest\n`)
    return 1
  } finally {
    await client.close()
  }
}
