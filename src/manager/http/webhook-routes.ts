import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import {
  type Exchange,
  type Handler,
  json,
  type Reply,
  type Routes,
  refuseOtherThanJson,
  text,
} from '../../http/routes.ts'
import type { ReviewAnswer, Reviewer } from '../admission/reviewer.ts'
import type { Caller } from '../admission/validate.ts'

/** The clients that may send reviews. Each needs a certificate from the server's `clientCa`. */
export interface Callers {
  /** Common names or DNS names; the certificate must have one of these names. Default: any name. */
  names?: readonly string[]
  /** Called when a client is refused. */
  refused?(address: string, reason: string): void
}

export interface WebhookRoutesOptions {
  reviewer: Pick<Reviewer, 'mutate' | 'validate'>
  /**
   * The clients that may send reviews. Absent: all clients. An API server presents a certificate only if its
   * AdmissionConfiguration names a certificate for webhooks.
   */
  callers?: Callers | undefined
  isAlive: () => boolean
  isReady: () => boolean
}

/** The paths of the webhook server: reviews of the API server, and probes of the kubelet. The paths are upstream's. */
export function webhookRoutes({ reviewer, callers, isAlive, isReady }: WebhookRoutesOptions): Routes {
  const handler = (
    review: (body: string, caller: Caller) => ReviewAnswer | Promise<ReviewAnswer>,
  ): { POST: Handler } => ({
    POST: {
      givesWay: true,
      admit: (exchange) =>
        (callers === undefined ? undefined : refuseCaller(exchange, callers)) ?? refuseOtherThanJson(exchange),
      handle: async (body, { socket, signal }) => {
        const answer = await review(body.toString('utf8'), { peer: socket.remoteAddress ?? '', signal })
        return answer.status === 200 ? json(200, answer.review) : text(answer.status, answer.message)
      },
    },
  })
  return {
    exact: {
      '/mutate': handler((body, caller) => reviewer.mutate(body, caller)),
      '/validate': handler((body, caller) => reviewer.validate(body, caller)),
      '/health/liveness': probe(isAlive),
      '/health/readiness': probe(isReady),
    },
  }
}

/** A route that answers 200 if `holds` returns true, and 503 otherwise. */
export const probe = (holds: () => boolean): { GET: Handler } => ({
  GET: { handle: () => (holds() ? text(200, 'ok') : text(503, 'not ok')) },
})

function refuseCaller({ socket }: Exchange, { names, refused }: Callers): Reply | undefined {
  const { authorized = false } = socket as Partial<TLSSocket>
  const certificate = authorized ? (socket as TLSSocket).getPeerX509Certificate() : undefined
  if (certificate !== undefined && (names === undefined || names.some((name) => isFor(certificate, name))))
    return undefined
  const reply =
    certificate === undefined
      ? text(401, 'A client certificate of the configured authority is required')
      : text(403, `The client ${JSON.stringify(certificate.subject)} may not send reviews`)
  refused?.(socket.remoteAddress ?? '', reply.body.toString().trim())
  return reply
}

/** Whether the certificate has this name as its only common name or as a DNS name. Wildcards do not match. */
function isFor(certificate: X509Certificate, name: string): boolean {
  const { CN } = certificate.toLegacyObject().subject as { CN?: string | string[] }
  if (CN === name) return true
  return certificate.checkHost(name, { subject: 'never', wildcards: false }) !== undefined
}
