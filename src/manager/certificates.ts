import { logTrouble } from '../base/bug.ts'
import type { ServingCredentials } from '../http/server.ts'
import type { ApiClient } from '../kube/client.ts'
import { configMaps, secrets } from '../kube/core-objects.ts'
import { defaultOptIn, parseOptIn } from './admission/opt-in.ts'
import {
  mutatingName,
  mutatingWebhookConfigurations,
  validatingName,
  validatingWebhookConfigurations,
  webhookConfigurations,
} from './admission/webhook-configurations.ts'
import type { ManagerOptions } from './options.ts'
import { CertificateKeeper } from './tls/certificate-keeper.ts'
import { givenCertificates } from './tls/given-certificates.ts'
import { objectPort } from './tls/object-port.ts'
import { watchObjects } from './tls/watched-objects.ts'

/**
 * Name of the Secret with the managers' authority and certificate. The ConfigMap with the authority has the same name
 * with the suffix `-ca`.
 */
export const certificateName = 'varmor-manager-tls'

/** Milliseconds between two checks of a certificate that another program maintains. */
const checkFiles = 60_000

export interface CertificatesOptions
  extends Pick<ManagerOptions, 'namespace' | 'logger' | 'reach' | 'admission' | 'timing' | 'certificates'> {
  client: ApiClient
  /** Port of the webhooks. */
  webhookPort: number
  /** See WebhookOptions. */
  profileWriters?: readonly string[] | undefined
  serve(credentials: ServingCredentials): void
}

/** Maintains, renews and repairs the manager's certificates, and the webhook configurations that trust them. */
export class Certificates {
  readonly #options: CertificatesOptions
  readonly #keeper: CertificateKeeper
  #endWatch: () => Promise<void> = async () => undefined

  constructor(options: CertificatesOptions) {
    this.#options = options
    const { client, namespace, reach, logger, timing, serve, certificates } = options
    const { mutating, validating } = configurations(options)
    this.#keeper = new CertificateKeeper({
      name: certificateName,
      names: reach.names,
      secrets: objectPort(client, secrets, namespace),
      configMaps: objectPort(client, configMaps, namespace),
      webhooks: [
        { port: objectPort(client, mutatingWebhookConfigurations), name: mutatingName, fresh: mutating },
        { port: objectPort(client, validatingWebhookConfigurations), name: validatingName, fresh: validating },
      ],
      serve,
      log: logger,
      ...(certificates !== undefined && { given: givenCertificates(certificates, reach.names), every: checkFiles }),
      ...timing?.certificates,
    })
  }

  get isPublished(): boolean {
    return this.#keeper.isPublished
  }

  /** Number of failed checks. */
  get failures(): number {
    return this.#keeper.failures
  }

  get expiries(): CertificateKeeper['expiries'] {
    return this.#keeper.expiries
  }

  /**
   * Resolves when a certificate is served, and its authority was published to all clients or one attempt has failed.
   */
  async start(): Promise<void> {
    await this.#keeper.start()
    await this.#keeper.settled()
    this.#endWatch = this.#watch()
  }

  async stop(within: number): Promise<void> {
    await this.#endWatch()
    await this.#keeper.stop(within)
  }

  /**
   * Watches the objects: repairs deleted or damaged objects at once, and serves a certificate that another manager
   * renewed.
   */
  #watch(): () => Promise<void> {
    const { client, namespace, logger, timing, certificates } = this.#options
    const watches = timing?.watches
    return watchObjects(
      client,
      [
        ...(certificates === undefined ? [{ ref: secrets, namespace, name: certificateName }] : []),
        { ref: configMaps, namespace, name: `${certificateName}-ca` },
        { ref: mutatingWebhookConfigurations, name: mutatingName },
        { ref: validatingWebhookConfigurations, name: validatingName },
      ],
      () => this.#keeper.changed(),
      {
        ...(watches !== undefined && { timing: watches }),
        failed: (resource, err) => logTrouble(logger, err, { err, resource }, 'cannot watch an object; retrying'),
      },
    )
  }
}

function configurations({ reach: { webhooks }, webhookPort, profileWriters, admission = {} }: CertificatesOptions) {
  const { optIn = defaultOptIn, failurePolicy, exemptNamespaces, timeout } = admission
  return webhookConfigurations({
    reach: typeof webhooks === 'function' ? webhooks(webhookPort) : webhooks,
    optIn: parseOptIn(optIn),
    profileWriters,
    ...(failurePolicy !== undefined && { failurePolicy }),
    ...(exemptNamespaces !== undefined && { exemptNamespaces }),
    ...(timeout !== undefined && { timeoutSeconds: timeout }),
  })
}
