import { isDeepStrictEqual } from 'node:util'
import { isAlreadyExists, isConflict } from '../../kube/api-error.ts'
import type { ConfigMap } from '../../kube/core-objects.ts'
import type { KubeObject } from '../../kube/objects.ts'
import type { Webhook, WebhookConfiguration } from '../admission/webhook-configurations.ts'
import { dataKeys } from './certificate-state.ts'
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
 * A webhook configuration whose every webhook trusts the bundle. With `fresh` it also is as that says, made if there is none: what a
 * manager's flags say counts, not what another one wrote. Without `fresh` there has to be one, because nothing is confined
 * else.
 */
export function withCaBundle(
  fresh: WebhookConfiguration | undefined,
  name: string,
  bundle: string,
): (found: WebhookConfiguration | undefined) => WebhookConfiguration | undefined {
  const caBundle = Buffer.from(bundle).toString('base64')
  const trusting = (webhooks: Webhook[] = []): Webhook[] =>
    webhooks.map((webhook) => ({ ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } }))
  return (found) => {
    const base = fresh ?? found
    if (base === undefined)
      throw new Error(`There is no webhook configuration ${name}; install it again with the chart`)
    const webhooks = trusting(base.webhooks)
    if (found !== undefined && sameWebhooks(found.webhooks ?? [], webhooks)) return undefined
    return { ...(found ?? base), webhooks }
  }
}

/** Whether the server holds what is wanted, whatever else it fills in. */
function sameWebhooks(found: readonly Webhook[], wanted: readonly Webhook[]): boolean {
  return (
    found.length === wanted.length &&
    wanted.every((webhook, index) => {
      const there = withDefaults(found[index]!)
      return isDeepStrictEqual(there, { ...there, ...withDefaults(webhook) })
    })
  )
}

/** The server's defaults for what a manager leaves out and another one may have set (admissionregistration/v1 defaults.go). */
function withDefaults(webhook: Webhook): Webhook {
  const { service, ...rest } = webhook.clientConfig
  const clientConfig = { ...rest, ...(service !== undefined && { service: { port: 443, ...service } }) }
  return { namespaceSelector: {}, objectSelector: {}, ...webhook, clientConfig }
}
