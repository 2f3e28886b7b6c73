import { isBug } from '../../base/bug.ts'
import type { Clock } from '../../base/clock.ts'
import type { ApiClient } from '../../kube/client.ts'
import { configMaps } from '../../kube/core-objects.ts'
import { textsOf } from '../../kube/read-object.ts'
import type { ReadAuthority } from './manager-transport.ts'

/** The ConfigMap in which managers publish their CA; the managers use this name, too. */
export const authorityName = 'varmor-manager-tls-ca'
const authorityKey = 'ca.crt'

/**
 * Milliseconds for which the CA is not read again. Managers publish a new CA long before they use a certificate of it.
 */
const freshFor = 600_000

/**
 * Reads the managers' CA from the ConfigMap that they publish. While the API server does not answer, the last CA is
 * used.
 */
export function publishedAuthority(client: ApiClient, namespace: string, clock: Clock): ReadAuthority {
  let known: { pem: string; readAt: number } | undefined
  return async (doubted) => {
    if (known !== undefined && !doubted && clock.now() - known.readAt < freshFor) return known.pem
    try {
      const found = await client.get(configMaps, { name: authorityName, namespace })
      known = { pem: textsOf(found.data)[authorityKey] ?? '', readAt: clock.now() }
    } catch (error) {
      if (known === undefined || isBug(error)) throw error
    }
    return known.pem
  }
}
