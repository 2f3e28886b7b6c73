import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '../../base/is-record.ts'
import { isAlreadyExists, isConflict } from '../../kube/api-error.ts'
import type { ConfigMap } from '../../kube/core-objects.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { textsOf } from '../../kube/read-object.ts'
import type { Webhook, WebhookConfiguration } from '../admission/webhook-configurations.ts'
import { dataKeys } from './certificate-state.ts'
import type { ObjectPort } from './object-port.ts'

const ATTEMPTS = 5

/**
 * Reads an object, changes it with `wanted`, and writes it; after a conflict it starts over. `wanted` gets undefined
 * for a missing object, and returns undefined if no write is needed.
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

/** Puts the authorities that agents trust into the ConfigMap. */
export function withBundle(name: string, bundle: string): (found: ConfigMap | undefined) => ConfigMap | undefined {
  return (found) => {
    const data = textsOf(found?.data)
    if (data[dataKeys.bundle] === bundle) return undefined
    return { ...found, metadata: { name, ...found?.metadata }, data: { ...data, [dataKeys.bundle]: bundle } }
  }
}

/**
 * Makes all webhooks of a configuration trust the bundle. With `fresh`, it also resets the webhooks to this manager's
 * flags, and creates a missing configuration. Without `fresh`, the configuration must exist: without webhooks, no
 * workload would be confined.
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

/** Whether the server has the wanted webhooks. Fields that only the server sets are ignored. */
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
 * Adds the server's defaults (admissionregistration/v1 defaults.go) for fields that this manager may omit and another
 * manager may have set.
 */
function withDefaults(webhook: Webhook): Webhook {
  const { service, ...rest } = webhook.clientConfig
  const clientConfig = { ...rest, ...(service !== undefined && { service: { port: 443, ...service } }) }
  return { namespaceSelector: {}, objectSelector: {}, ...webhook, clientConfig }
}
