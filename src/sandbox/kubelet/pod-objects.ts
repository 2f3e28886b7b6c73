import type { Clock } from '../../base/clock.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import { type ConfigMap, configMaps, type Secret, secrets, serviceAccounts } from '../../kube/core-objects.ts'
import type { Pod } from '../controllers/objects.ts'

/**
 * A container refers to a missing object, or uses a feature that this kubelet does not support. The message names the
 * field.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** A reference to keys of a ConfigMap or a Secret. */
export interface ObjectSource {
  readonly kind: 'configmap' | 'secret'
  readonly name: string | undefined
  readonly optional: boolean | undefined
}

interface IssuedToken {
  readonly token: string
  /** Milliseconds since the epoch after which a new token is requested. */
  readonly renewAt: number
}

/** Reads objects that pods refer to, and gets tokens of their service accounts. */
export class PodObjects {
  readonly #client: ApiClient
  readonly #clock: Clock
  readonly #tokens = new Map<string, IssuedToken>()

  constructor(client: ApiClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** The data by key; undefined if the object is optional and missing. @throws {ConfigError} */
  async data(pod: Pod, { kind, name = '', optional }: ObjectSource): Promise<Map<string, Buffer> | undefined> {
    const target = { namespace: pod.metadata.namespace, name }
    try {
      const object: (ConfigMap & { binaryData?: Record<string, string> }) | Secret =
        kind === 'configmap' ? await this.#client.get(configMaps, target) : await this.#client.get(secrets, target)
      const decoded = (data: Record<string, string> = {}, encoding: BufferEncoding): [string, Buffer][] =>
        Object.entries(data).map(([key, text]) => [key, Buffer.from(text, encoding)])
      const binary = 'binaryData' in object ? decoded(object.binaryData, 'base64') : []
      return new Map([...decoded(object.data, kind === 'configmap' ? 'utf8' : 'base64'), ...binary])
    } catch (error) {
      if (!isNotFound(error)) throw error
      if (optional) return undefined
      throw new ConfigError(`${kind} "${name}" not found`)
    }
  }

  /** A token of the pod's service account. */
  async token(pod: Pod, audience: string | undefined, expirationSeconds = 3600): Promise<string> {
    const { name, namespace, uid } = pod.metadata
    const key = `${uid} ${audience ?? ''} ${expirationSeconds}`
    const known = this.#tokens.get(key)
    const now = this.#clock.now()
    if (known !== undefined && now < known.renewAt) return known.token
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid }
    const spec = { expirationSeconds, boundObjectRef, ...(audience !== undefined && { audiences: [audience] }) }
    const { status } = await this.#client.createSubresource<{ status: { token: string } }>(
      serviceAccounts,
      { name: pod.spec.serviceAccountName ?? 'default', namespace, subresource: 'token' },
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
    )
    for (const [old, { renewAt }] of this.#tokens) if (renewAt < now) this.#tokens.delete(old)
    // As in a real kubelet, a token is renewed after four fifths of its lifetime.
    this.#tokens.set(key, { token: status.token, renewAt: now + expirationSeconds * 800 })
    return status.token
  }
}

/** Addresses that a pod's variables and volumes may refer to. */
export interface PodPlace {
  readonly podIP: string
  readonly hostIP: string
}

const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/

/** The value of a `fieldRef`. @throws {ConfigError} for an unsupported path */
export function fieldValue(pod: Pod, path: string, { podIP, hostIP }: PodPlace): string {
  const { metadata, spec } = pod
  const [, map, key] = keyed.exec(path) ?? []
  if (map !== undefined && key !== undefined) return metadata[map as 'labels' | 'annotations']?.[key] ?? ''
  const values: Readonly<Record<string, string | undefined>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName,
    'status.podIP': podIP,
    'status.podIPs': podIP,
    'status.hostIP': hostIP,
    'status.hostIPs': hostIP,
  }
  const value = values[path]
  if (value === undefined) throw new ConfigError(`fieldRef ${path} is not supported`)
  return value
}
