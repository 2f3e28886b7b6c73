import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { type Random, seededRandom } from '../../base/random.ts'
import { sandboxClock } from '../sandbox-clock.ts'
import { httpsTransport } from './admission/webhook-transport.ts'
import { kubernetesServiceAddress } from './bootstrap.ts'
import { CertificateAuthority, type Identity } from './http/certificates.ts'
import { HttpAdapter } from './http/http-adapter.ts'
import { kubeconfig } from './http/kubeconfig.ts'
import type { UserInfo } from './request.ts'
import { ApiServer, type InProcessClient, type ServerOptions, type ServerSnapshot } from './server.ts'

export interface StartOptions extends Partial<Omit<ServerOptions, 'caPem' | 'transport'>> {
  /** Port; 0 means any free port. */
  readonly port?: number
  /** Address to listen on. Default: a loopback address. */
  readonly host?: string
  /** Further addresses that the server's certificate must have. */
  readonly addresses?: readonly string[]
  /** The snapshot of an earlier server, from which this server continues. */
  readonly restore?: Snapshot
}

/** All data that a new server needs to continue as if the old server had not stopped. */
export interface Snapshot extends ServerSnapshot {
  readonly authority: Identity
}

export interface RunningApiServer {
  readonly url: string
  readonly caPem: string
  readonly authority: CertificateAuthority
  /** The kubeconfig of an administrator, as the text of a file. */
  readonly kubeconfig: string
  readonly adminCertificate: Identity
  readonly server: ApiServer
  /** A client that does not use sockets. */
  client(user: UserInfo): InProcessClient
  snapshot(): Snapshot
  /** Ends watches and connections, and frees the port. */
  close(): Promise<void>
}

/** Starts an API server on a loopback port with its own certificates. */
export async function startApiServer(options: StartOptions = {}): Promise<RunningApiServer> {
  const clock: Clock = options.clock ?? sandboxClock
  const random: Random = options.random ?? seededRandom(randomBytes(6).readUIntBE(0, 6))
  const now = clock.wall()
  const authority = options.restore
    ? await CertificateAuthority.restore(options.restore.authority)
    : await CertificateAuthority.create('kubernetes-ca', now)
  const host = options.host ?? '127.0.0.1'
  const server = new ApiServer(
    {
      ...options,
      clock,
      random,
      uuid: options.uuid ?? randomUUID,
      caPem: authority.certificatePem,
      transport: httpsTransport(),
    },
    options.restore,
  )
  const { listener, sockets } = await listen(server, authority, options, host, now)
  const url = `https://${host}:${(listener.address() as AddressInfo).port}`
  const adminCertificate = await authority.client('kubernetes-admin', ['system:masters'], now)
  await server.idle()
  return {
    url,
    caPem: authority.certificatePem,
    authority,
    adminCertificate,
    server,
    kubeconfig: kubeconfig(url, authority.certificatePem, adminCertificate),
    client: (user) => server.client(user),
    snapshot: () => ({
      ...server.snapshot(),
      authority: { certificatePem: authority.certificatePem, keyPem: authority.keyPem },
    }),
    close: () => close(server, listener, sockets),
  }
}

/** The server's names, in addition to its address. */
const names = [
  'localhost',
  ...['', '.default', '.default.svc', '.default.svc.cluster.local'].map((end) => `kubernetes${end}`),
]

async function listen(
  server: ApiServer,
  authority: CertificateAuthority,
  { port = 0, addresses = [] }: StartOptions,
  host: string,
  now: number,
): Promise<{ listener: Server; sockets: ReadonlySet<Socket> }> {
  const known = [...new Set(['127.0.0.1', '::1', host, kubernetesServiceAddress, ...addresses])]
  const { certificatePem, keyPem } = await authority.server('kube-apiserver', names, known, now)
  const adapter = new HttpAdapter(server)
  // Accept clients without a certificate, because a client may have a token instead.
  const tls = { cert: certificatePem, key: keyPem, ca: authority.certificatePem, requestCert: true }
  const listener = createServer({ ...tls, rejectUnauthorized: false }, (incoming, outgoing) => {
    void adapter.handle(incoming, outgoing)
  })
  listener.on('upgrade', (incoming, socket, head) => void adapter.upgrade(incoming, socket, head))
  const sockets = new Set<Socket>()
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // Watches may be silent for a long time, so requests have no timeout.
  listener.requestTimeout = 0
  listener.keepAliveTimeout = 90_000
  listener.listen(port, host)
  await once(listener, 'listening')
  return { listener, sockets }
}

/** Closes a server, and sockets without a request: otherwise a client could keep the port in use. */
async function close(server: ApiServer, listener: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  server.close()
  const closed = once(listener, 'close')
  listener.close()
  for (const socket of sockets) socket.destroy()
  await closed
}
