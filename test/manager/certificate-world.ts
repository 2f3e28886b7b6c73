import { X509Certificate } from 'node:crypto'
import { asWall } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { ServingCredentials } from '../../src/http/server.ts'
import type { ConfigMap, Secret } from '../../src/kube/core-objects.ts'
import { type WebhookConfiguration, webhookConfigurations } from '../../src/manager/admission/webhook-configurations.ts'
import { CertificateKeeper, type CertificateKeeperOptions } from '../../src/manager/tls/certificate-keeper.ts'
import { pemBlocks } from '../../src/manager/tls/pem.ts'
import { ManualClock } from '../kube/harness.ts'
import { ObjectStore } from './object-store.ts'

export const hour = 3_600_000
export const day = 24 * hour
export const start = Date.UTC(2026, 0, 1)

/** Durations shorter than the defaults, in the same proportions. */
export const policy = {
  authorityValidity: 365 * day,
  authorityRenewBefore: 73 * day,
  publishDelay: day,
  servingValidity: 30 * day,
  servingRenewBefore: 10 * day,
  backdate: hour,
}
export const names = ['varmor-webhook-svc.varmor.svc', 'varmor-status-svc.varmor.svc', '127.0.0.1']
export const reach = { namespace: 'varmor', service: 'varmor-webhook-svc' }
export const configurations = webhookConfigurations({ reach })

/** An API server, managers that use it, and a clock that a test moves. */
export class World {
  readonly clock = new ManualClock()
  readonly secrets = new ObjectStore<Secret>()
  readonly configMaps = new ObjectStore<ConfigMap>()
  readonly webhooks = new ObjectStore<WebhookConfiguration>()
  readonly errors: unknown[] = []
  readonly random = seededRandom(7)
  readonly #ahead: number

  /** @param begin start of the simulated wall clock, in milliseconds since 1970 */
  constructor(begin = start) {
    this.#ahead = begin - this.clock.now()
  }

  get now(): number {
    return this.clock.now() + this.#ahead
  }

  manager(options: Partial<CertificateKeeperOptions> = {}): Manager {
    return new Manager(this, options)
  }

  get bundle(): string {
    return this.configMaps.objects.get('varmor-ca')?.data?.['ca.crt'] ?? ''
  }

  get caBundles(): string[] {
    return [...this.webhooks.objects.values()].flatMap(({ webhooks = [] }) =>
      webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString()),
    )
  }

  secretText(key: string): string {
    return Buffer.from(this.secrets.objects.get('varmor')?.data?.[key] ?? '', 'base64').toString()
  }
}

export class Manager {
  readonly keeper: CertificateKeeper
  readonly served: ServingCredentials[] = []

  constructor(world: World, options: Partial<CertificateKeeperOptions>) {
    this.keeper = new CertificateKeeper({
      name: 'varmor',
      names,
      secrets: world.secrets.port,
      configMaps: world.configMaps.port,
      webhooks: [
        { port: world.webhooks.port, name: configurations.mutating.metadata!.name!, fresh: configurations.mutating },
        {
          port: world.webhooks.port,
          name: configurations.validating.metadata!.name!,
          fresh: configurations.validating,
        },
      ],
      serve: (credentials) => this.served.push(credentials),
      log: { info: () => undefined, error: ({ err }: { err?: unknown }) => world.errors.push(err) },
      policy,
      every: 12 * hour,
      clock: world.clock,
      wallClock: () => asWall(world.now),
      random: world.random,
      ...options,
    })
  }

  get certificate(): string {
    return this.served.at(-1)!.cert
  }
}

export const signers = new Map<string, X509Certificate[]>()

/** Certificates of a bundle that signed a certificate. */
export function signersOf(bundle: string, certificate: string): X509Certificate[] {
  const key = bundle + certificate
  const known = signers.get(key)
  if (known !== undefined) return known
  const leaf = new X509Certificate(certificate)
  const found = pemBlocks(bundle, 'CERTIFICATE')
    .map((pem) => new X509Certificate(pem))
    .filter((authority) => leaf.checkIssued(authority) && leaf.verify(authority.publicKey))
  signers.set(key, found.length === 0 ? [] : [leaf, ...found])
  return signers.get(key)!
}

/** Decides as a TLS client: a trusted authority signed the certificate, and both are valid now. */
export function trusts(bundle: string, certificate: string, now: number): boolean {
  const isValid = (each: X509Certificate) => Date.parse(each.validFrom) <= now && now < Date.parse(each.validTo)
  const [leaf, ...authorities] = signersOf(bundle, certificate)
  return leaf !== undefined && isValid(leaf) && authorities.some(isValid)
}

export async function started(...managers: Manager[]): Promise<void> {
  await Promise.all(managers.map(({ keeper }) => keeper.start()))
  await settled(...managers)
}

export async function settled(...managers: Manager[]): Promise<void> {
  for (const { keeper } of managers) await keeper.settled()
}
