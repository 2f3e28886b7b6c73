import type { Clock } from '../../base/clock.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import { type ConfigMap, configMaps, type Secret, secrets, serviceAccounts } from '../../kube/core-objects.ts'
import type { Pod } from '../controllers/types.ts'
import { type ReferredObjects, referredByEnvironment } from './environment.ts'
import { type ContainerFields, namespaceOf, podFieldsOf, uidOf } from './pod-fields.ts'
import type { VolumeObjects } from './volume-files.ts'

interface IssuedToken {
  readonly token: string
  /** Milliseconds since the epoch: from here on another one is asked for. */
  readonly renewAt: number
}

/** Reads what pods refer to, and gets tokens of their service accounts. */
export class PodObjects {
  readonly #client: ApiClient
  readonly #clock: Clock
  readonly #tokens = new Map<string, IssuedToken>()

  constructor(client: ApiClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  async forEnvironment(pod: Pod, container: ContainerFields): Promise<ReferredObjects> {
    const names = referredByEnvironment(container)
    const namespace = namespaceOf(pod)
    const configMapsByName = new Map<string, ConfigMap | undefined>()
    const secretsByName = new Map<string, Secret | undefined>()
    for (const name of names.configMaps) configMapsByName.set(name, await this.#configMap(namespace, name))
    for (const name of names.secrets) secretsByName.set(name, await this.#secret(namespace, name))
    return { configMap: (name) => configMapsByName.get(name), secret: (name) => secretsByName.get(name) }
  }

  forVolumes(pod: Pod): VolumeObjects {
    const namespace = namespaceOf(pod)
    return {
      configMap: (name) => this.#configMap(namespace, name),
      secret: (name) => this.#secret(namespace, name),
      token: (audience, seconds) => this.#token(pod, audience, seconds),
    }
  }

  /** Forgets the tokens of a pod. */
  forget(pod: Pod): void {
    for (const key of this.#tokens.keys()) if (key.startsWith(`${uidOf(pod)} `)) this.#tokens.delete(key)
  }

  #configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return unlessMissing(this.#client.get(configMaps, { namespace, name }))
  }

  #secret(namespace: string, name: string): Promise<Secret | undefined> {
    return unlessMissing(this.#client.get(secrets, { namespace, name }))
  }

  async #token(pod: Pod, audience: string | undefined, seconds: number): Promise<string> {
    const key = `${uidOf(pod)} ${audience ?? ''} ${seconds}`
    const known = this.#tokens.get(key)
    const now = this.#clock.now()
    if (known !== undefined && now < known.renewAt) return known.token
    const { status } = await this.#client.createSubresource<{ status: { token: string } }>(
      serviceAccounts,
      { name: podFieldsOf(pod).serviceAccountName ?? 'default', namespace: namespaceOf(pod), subresource: 'token' },
      tokenRequest(pod, audience, seconds),
    )
    // At four fifths of its life, as a real kubelet.
    this.#tokens.set(key, { token: status.token, renewAt: now + seconds * 800 })
    return status.token
  }
}

const tokenRequest = (pod: Pod, audience: string | undefined, expirationSeconds: number): object => ({
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenRequest',
  spec: {
    expirationSeconds,
    ...(audience !== undefined && { audiences: [audience] }),
    boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: uidOf(pod) },
  },
})

async function unlessMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
