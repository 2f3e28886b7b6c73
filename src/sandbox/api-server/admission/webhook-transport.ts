import { Agent, request } from 'undici'

/** One call of a webhook over HTTPS. */
export interface WebhookCall {
  readonly url: URL
  /** PEM of the authorities that may have signed its certificate; those of the system when empty. */
  readonly ca: string
  readonly body: string
  /** Milliseconds. */
  readonly timeout: number
}

/** How a webhook is called. Errors are thrown with a message that says what went wrong. */
export type WebhookTransport = (call: WebhookCall) => Promise<{ readonly code: number; readonly body: string }>

/** Calls over sockets, which are kept for the next call. */
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
