import { type ApiError, isNotFound } from '../kube/api-error.ts'
import type { ApiClient } from '../kube/client.ts'
import { configMaps } from '../kube/core-objects.ts'

/** A ConfigMap of this name in our namespace says that vArmor is being uninstalled; `varmor uninstall` makes it, and removes it. */
export const uninstallName = 'varmor-uninstall'

/** Milliseconds: the kubelet waits for the agent, and then kills it. With what comes then, it is less than that. */
const patience = 10_000

/**
 * Whether vArmor is being uninstalled.
 * @param doubt told why it is not known; then it is not
 */
export async function isUninstalled(
  client: ApiClient,
  namespace: string,
  doubt: (reason: string) => void,
): Promise<boolean> {
  try {
    await client.get(configMaps, { name: uninstallName, namespace }, { deadline: patience })
    return true
  } catch (error) {
    if (!isNotFound(error)) doubt((error as ApiError).message)
    return false
  }
}
