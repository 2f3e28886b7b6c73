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

export interface WebhookRoutesOptions {
  reviewer: Pick<Reviewer, 'mutate' | 'validate'>
  /**
   * Only callers with a client certificate of the server's `clientCa` may ask; with `names` only those whose common name is
   * among them. For API servers that an AdmissionConfiguration gives a certificate for webhooks.
   */
  callers?: { names?: readonly string[] } | undefined
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
        (callers === undefined ? undefined : refuseCaller(exchange, callers.names)) ?? refuseOtherThanJson(exchange),
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

function refuseCaller({ socket }: Exchange, names: readonly string[] | undefined): Reply | undefined {
  const { authorized = false } = socket as Partial<TLSSocket>
  if (!authorized) return text(401, 'A client certificate of the configured authority is needed here')
  const name = (socket as TLSSocket).getPeerCertificate().subject?.CN
  if (names === undefined || names.some((each) => each === String(name))) return undefined
  return text(403, `The client ${name} may not ask here`)
}
