import { isDeepStrictEqual } from 'node:util'
import { isAlreadyExists, isConflict } from '../../kube/api-error.ts'
import type { ConfigMap } from '../../kube/core-objects.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { isRecord, textsOf } from '../../kube/read-object.ts'
import type { Webhook, WebhookConfiguration } from '../admission/webhook-configurations.ts'
import { dataKeys } from './certificate-state.ts'
import type { ObjectPort } from './object-port.ts'

const ATTEMPTS = 5

/**
 * Changes an object until `wanted` finds nothing to change: reads, changes, writes, and starts over after a conflict.
 * `wanted` gets undefined for a missing object, and returns undefined if there is nothing to do.
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

/** The ConfigMap with the authorities that agents trust. */
export function withBundle(name: string, bundle: string): (found: ConfigMap | undefined) => ConfigMap | undefined {
  return (found) => {
    const data = textsOf(found?.data)
    if (data[dataKeys.bundle] === bundle) return undefined
    return { ...found, metadata: { name, ...found?.metadata }, data: { ...data, [dataKeys.bundle]: bundle } }
  }
}

/**
 * A webhook configuration whose every webhook trusts the bundle. With `fresh` it also equals that, and is created if
 * missing: this manager's flags count, not another one's. Without `fresh` it must exist, because nothing would be
 * confined otherwise.
 */
export function withCaBundle(
  fresh: WebhookConfiguration | undefined,
  name: string,
  bundle: string,
): (found: WebhookConfiguration | undefined) => WebhookConfiguration | undefined {
  const caBundle = Buffer.from(bundle).toString('base64')
  const trusting = (webhooks: readonly Webhook[]): Webhook[] =>
    webhooks.map((webhook) => ({ ...webhook, clientConfig: { ...webhook.clientConfig, caBundle } }))
  return (found) => {
    const base = fresh ?? found
    if (base === undefined)
      throw new Error(`the webhook configuration ${name} does not exist; install it again with the chart`)
    const { webhooks: given = [] } = base
    if (!areWebhooks(given))
      throw new Error(
        `the webhook configuration ${name} has webhooks without clientConfig; install it again with the chart`,
      )
    const webhooks = trusting(given)
    if (found !== undefined && sameWebhooks(found.webhooks ?? [], webhooks)) return undefined
    return { ...(found ?? base), webhooks }
  }
}

const areWebhooks = (value: unknown): value is readonly Webhook[] =>
  Array.isArray(value) && value.every((one) => isRecord(one) && isRecord(one['clientConfig']))

/** Whether the server has the wanted webhooks, ignoring its own additions. */
function sameWebhooks(found: unknown, wanted: readonly Webhook[]): boolean {
  return (
    areWebhooks(found) &&
    found.length === wanted.length &&
    wanted.every((webhook, index) => {
      const there = withDefaults(found[index]!)
      return isDeepStrictEqual(there, { ...there, ...withDefaults(webhook) })
    })
  )
}

/**
 * The server's defaults for fields that a manager omits and another one may have set (admissionregistration/v1
 * defaults.go).
 */
function withDefaults(webhook: Webhook): Webhook {
  const { service, ...rest } = webhook.clientConfig
  const clientConfig = { ...rest, ...(service !== undefined && { service: { port: 443, ...service } }) }
  return { namespaceSelector: {}, objectSelector: {}, ...webhook, clientConfig }
}
