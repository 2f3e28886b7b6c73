import { request as httpsRequest } from 'node:https'

/** One call of a webhook over HTTPS. */
export interface WebhookCall {
  readonly url: URL
  /** The name that the certificate must have; that of the URL when left out. */
  readonly serverName?: string
  /** PEM; the system's authorities when left out. */
  readonly ca?: string
  readonly body: string
  /** Milliseconds. */
  readonly timeout: number
}

export interface WebhookAnswer {
  readonly code: number
  readonly body: string
}

/** How webhooks are reached. Errors are thrown with a message that says what went wrong. */
export interface WebhookTransport {
  send(call: WebhookCall): Promise<WebhookAnswer>
  /** Where a service listens: the host and port that a call of it goes to. Undefined: there is no such service here. */
  resolve(namespace: string, name: string, port: number): { host: string; port: number } | undefined
}

/** Bytes of an answer that are read; more is no AdmissionReview. */
const largestAnswer = 3 * 1024 * 1024

/** A transport over sockets, with services found by a function of the caller. */
export function httpsTransport(resolve: WebhookTransport['resolve']): WebhookTransport {
  return { resolve, send }
}

function send({ url, serverName, ca, body, timeout }: WebhookCall): Promise<WebhookAnswer> {
  return new Promise((fulfil, reject) => {
    const request = httpsRequest(
      url,
      {
        method: 'POST',
        timeout,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'content-length': Buffer.byteLength(body),
        },
        ...(ca === undefined ? {} : { ca }),
        ...(serverName === undefined ? {} : { servername: serverName }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > largestAnswer) request.destroy(new Error(`the answer is longer than ${largestAnswer} bytes`))
          else chunks.push(chunk)
        })
        response.on('error', reject)
        response.on('end', () => fulfil({ code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      },
    )
    // The whole call has this long, not each silence within it.
    const timer = setTimeout(() => request.destroy(new Error('context deadline exceeded')), timeout)
    request.on('close', () => clearTimeout(timer))
    request.on('error', reject)
    request.end(body)
  })
}
