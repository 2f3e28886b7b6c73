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

/** Callers with a client certificate of the server's `clientCa`. */
export interface Callers {
  /** Common or DNS names, one of which the certificate has. Default: any certificate. */
  names?: readonly string[]
  /** Told when one is refused. */
  refused?(address: string, reason: string): void
}

export interface WebhookRoutesOptions {
  reviewer: Pick<Reviewer, 'mutate' | 'validate'>
  /** Only these may ask for reviews. For API servers that an AdmissionConfiguration gives a certificate for webhooks. */
  callers?: Callers | undefined
  isAlive: () => boolean
  isReady: () => boolean
}

/** What the API server asks, and what the kubelet probes. Upstream's paths. */
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

/** 200 while it holds, else 503. */
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
      ? text(401, 'A client certificate of the configured authority is needed here')
      : text(403, `The client ${JSON.stringify(certificate.subject)} may not ask here`)
  refused?.(socket.remoteAddress ?? '', reply.body.toString().trim())
  return reply
}

/** By its common name, of which there is one alone, or by a DNS name. A name with a wildcard stands for no other. */
function isFor(certificate: X509Certificate, name: string): boolean {
  const { CN } = certificate.toLegacyObject().subject as { CN?: string | string[] }
  if (CN === name) return true
  return certificate.checkHost(name, { subject: 'never', wildcards: false }) !== undefined
}
