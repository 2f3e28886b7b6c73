import { isBug } from '../base/bug.ts'
import type { Clock } from '../base/clock.ts'
import type { ApiClient } from '../kube/client.ts'
import { configMaps, textsOf } from '../kube/core-objects.ts'
import type { ReadAuthority } from './manager-transport.ts'

/** Where managers publish their CA; this name is theirs. */
export const authorityName = 'varmor-manager-tls-ca'
const authorityKey = 'ca.crt'

/** Milliseconds; a new CA is published long before the first certificate of it is used. */
const freshFor = 600_000

/**
 * The managers' CA as they publish it in a ConfigMap. What was read stays good while the API server cannot be asked.
 */
export function publishedAuthority(client: ApiClient, namespace: string, clock: Clock): ReadAuthority {
  let known: { pem: string; readAt: number } | undefined
  return async (doubted) => {
    if (known !== undefined && !doubted && clock.now() - known.readAt < freshFor) return known.pem
    try {
      const found = await client.get(configMaps, { name: authorityName, namespace })
      known = { pem: textsOf(found)[authorityKey] ?? '', readAt: clock.now() }
    } catch (error) {
      if (known === undefined || isBug(error)) throw error
    }
    return known.pem
  }
}
