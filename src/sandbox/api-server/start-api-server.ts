import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../../base/clock.ts'
import { type Random, seededRandom } from '../../base/random.ts'
import { httpsTransport, type WebhookTransport } from './admission/webhook-transport.ts'
import { kubernetesServiceAddress } from './bootstrap.ts'
import type { Faults } from './faults.ts'
import { CertificateAuthority, type Identity } from './http/certificates.ts'
import { HttpAdapter } from './http/http-adapter.ts'
import { kubeconfig } from './http/kubeconfig.ts'
import type { UserInfo } from './request.ts'
import { ApiServer, type InProcessClient, type ServerOptions, type ServerSnapshot } from './server.ts'

export interface StartOptions extends Partial<Omit<ServerOptions, 'caPem' | 'transport' | 'address'>> {
  /** 0 for any that is free. */
  readonly port?: number
  /** A loopback address unless said otherwise. */
  readonly host?: string
  /** Further names and addresses in the server's certificate. */
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
  /** Where webhooks' services listen. None are found without it. */
  readonly resolveService?: WebhookTransport['resolve']
  /** Goes on from what `snapshot` gave. */
  readonly restore?: Snapshot
}

/** All that a server has to be started again as if it had not stopped. */
export interface Snapshot extends ServerSnapshot {
  readonly authority: Identity
}

export interface RunningApiServer {
  readonly url: string
  readonly caPem: string
  readonly authority: CertificateAuthority
  /** Of an administrator, as the text of a file. */
  readonly kubeconfig: string
  readonly adminCertificate: Identity
  readonly server: ApiServer
  readonly faults: Faults
  /** The request path without sockets. */
  client(user: UserInfo): InProcessClient
  /** A kubeconfig for another user, with a certificate of its own. */
  kubeconfigFor(user: string, groups: readonly string[]): Promise<string>
  snapshot(): Snapshot
  /** Ends watches and connections, and frees the port. */
  close(): Promise<void>
}

/** Starts an API server on a loopback port with certificates of its own. */
export async function startApiServer(options: StartOptions = {}): Promise<RunningApiServer> {
  const clock: Clock = options.clock ?? systemClock
  const random: Random = options.random ?? seededRandom(randomBytes(6).readUIntBE(0, 6))
  const now = Date.now()
  const authority = options.restore
    ? await CertificateAuthority.restore(options.restore.authority)
    : await CertificateAuthority.create('kubernetes-ca', now)
  const host = options.host ?? '127.0.0.1'
  let url = ''
  const server = new ApiServer(
    {
      ...options,
      clock,
      random,
      uuid: options.uuid ?? randomUUID,
      caPem: authority.certificatePem,
      transport: httpsTransport(options.resolveService ?? (() => undefined)),
      address: () => new URL(url).host,
    },
    options.restore,
  )
  const listener = await listen(server, authority, options, host, now)
  url = `https://${host}:${(listener.address() as AddressInfo).port}`
  const adminCertificate = await authority.client('kubernetes-admin', ['system:masters'], now)
  await server.idle()
  return {
    url,
    caPem: authority.certificatePem,
    authority,
    adminCertificate,
    server,
    faults: server.faults,
    kubeconfig: kubeconfig(url, authority.certificatePem, adminCertificate),
    client: (user) => server.client(user),
    kubeconfigFor: async (user, groups) =>
      kubeconfig(url, authority.certificatePem, await authority.client(user, groups, Date.now()), user),
    snapshot: () => ({
      ...server.snapshot(),
      authority: { certificatePem: authority.certificatePem, keyPem: authority.keyPem },
    }),
    close: () => close(server, listener),
  }
}

const serviceNames = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
]

async function listen(
  server: ApiServer,
  authority: CertificateAuthority,
  { port = 0, names = [], addresses = [] }: StartOptions,
  host: string,
  now: number,
): Promise<Server> {
  const certificate = await authority.server(
    'kube-apiserver',
    ['localhost', ...serviceNames, ...names],
    [...new Set(['127.0.0.1', '::1', host, kubernetesServiceAddress, ...addresses])],
    now,
  )
  const adapter = new HttpAdapter(server)
  const listener = createServer(
    {
      cert: certificate.certificatePem,
      key: certificate.keyPem,
      ca: authority.certificatePem,
      requestCert: true,
      // A client may also come with a token; who comes with neither is anonymous.
      rejectUnauthorized: false,
    },
    (incoming, outgoing) => void adapter.handle(incoming, outgoing),
  )
  listener.on('upgrade', (incoming, socket, head) => void adapter.upgrade(incoming, socket, head))
  // Watches are silent for long.
  listener.requestTimeout = 0
  listener.keepAliveTimeout = 90_000
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(port, host, () => {
      listener.off('error', reject)
      resolve()
    })
  })
  return listener
}

async function close(server: ApiServer, listener: Server): Promise<void> {
  server.close()
  await new Promise<void>((resolve) => {
    listener.close(() => resolve())
    listener.closeAllConnections()
  })
}
