import { isAlreadyExists, isConflict } from '../../kube/api-error.ts'
import type { KubeObject } from '../../kube/objects.ts'
import type { WebhookConfiguration } from '../admission/webhook-configurations.ts'
import { dataKeys } from './certificate-state.ts'
import type { ConfigMap } from './core-objects.ts'
import type { ObjectPort } from './object-port.ts'

const ATTEMPTS = 5

/**
 * Makes an object so that `wanted` finds nothing to change: reads, changes, writes, and begins again when somebody else was first.
 * `wanted` gets undefined where there is none; it gives undefined where nothing is to be done.
 */
export async function settle<T extends KubeObject>(
  port: ObjectPort<T>,
  name: string,
  wanted: (found: T | undefined) => T | undefined,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const found = await port.get(name)
    const next = wanted(found)
    if (next === undefined) return
    try {
      await (found === undefined ? port.create(next) : port.update(next))
      return
    } catch (error) {
      if (attempt >= ATTEMPTS || !(isConflict(error) || isAlreadyExists(error))) throw error
    }
  }
}

/** The ConfigMap from which agents take what they trust. */
export function withBundle(name: string, bundle: string): (found: ConfigMap | undefined) => ConfigMap | undefined {
  return (found) => {
    if (found?.data?.[dataKeys.bundle] === bundle) return undefined
    return { ...found, metadata: { name, ...found?.metadata }, data: { ...found?.data, [dataKeys.bundle]: bundle } }
  }
}

/**
 * A webhook configuration whose every webhook trusts the bundle. Made from `fresh` where there is none; without it that is an error,
 * because nothing is confined then.
 */
export function withCaBundle(
  fresh: WebhookConfiguration | undefined,
  name: string,
  bundle: string,
): (found: WebhookConfiguration | undefined) => WebhookConfiguration | undefined {
  const caBundle = Buffer.from(bundle).toString('base64')
  return (found) => {
    const base = found ?? fresh
    if (base === undefined)
      throw new Error(`There is no webhook configuration ${name}; install it again with the chart`)
    const { webhooks = [] } = base
    if (found !== undefined && webhooks.every(({ clientConfig }) => clientConfig.caBundle === caBundle))
      return undefined
    return {
      ...base,
      webhooks: webhooks.map((webhook) => ({ ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } })),
    }
  }
}
