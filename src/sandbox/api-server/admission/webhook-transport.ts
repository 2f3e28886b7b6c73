import { Agent, request } from 'undici'

/** One call of a webhook over HTTPS. */
export interface WebhookCall {
  readonly url: URL
  /** PEM of the authorities that may sign the webhook's certificate; empty for the system's authorities. */
  readonly ca: string
  readonly body: string
  /** Timeout in milliseconds. */
  readonly timeout: number
}

/** Calls a webhook. Throws errors whose message describes the failure. */
export type WebhookTransport = (call: WebhookCall) => Promise<{ readonly code: number; readonly body: string }>

/** Returns a transport that calls webhooks over sockets, and keeps the sockets for later calls. */
export function httpsTransport(): WebhookTransport {
  const agents = new Map<string, Agent>()
  return async ({ url, ca, body, timeout }) => {
    const dispatcher = agents.get(ca) ?? new Agent(ca === '' ? {} : { connect: { ca } })
    agents.set(ca, dispatcher)
    const signal = AbortSignal.timeout(timeout)
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    try {
      const answer = await request(url, { method: 'POST', headers, body, dispatcher, signal })
      return { code: answer.statusCode, body: await answer.body.text() }
    } catch (error) {
      throw signal.aborted ? new Error('context deadline exceeded') : error
    }
  }
}
