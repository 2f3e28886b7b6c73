import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Authority } from '../cluster/pki.ts'
import type { Json } from './api.ts'

/** The answer of a webhook; undefined: the webhook never answers. */
export type Review = (request: Json) => Json | undefined

/** A server of admission webhooks over TLS, on loopback by default. Tests set its answers and read its requests. */
export class WebhookServer {
  /** Base URL, and the certificate authority in PEM. */
  readonly url: string
  readonly ca: string
  readonly port: number
  /** Requests in the order of arrival: `AdmissionReview.request`, and the path with its query. */
  readonly calls: { path: string; review: Json }[] = []
  #reviews = new Map<string, Review>()
  #server: Server

  private constructor(server: Server, ca: string) {
    this.#server = server
    this.ca = ca
    const { address, port } = server.address() as AddressInfo
    this.port = port
    this.url = `https://${address}:${port}`
  }

  /** @param hosts names of the server, besides its address */
  static async start(address = '127.0.0.1', hosts: string[] = []): Promise<WebhookServer> {
    const authority = await Authority.create('webhooks')
    const subject = { name: 'webhook', use: 'server' as const, addresses: [address], hosts }
    const { certificate, key } = await authority.issue(subject)
    const server = createServer({ cert: certificate, key })
    await new Promise<void>((resolve) => server.listen(0, address, resolve))
    const webhooks = new WebhookServer(server, authority.certificate)
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const review = JSON.parse(Buffer.concat(chunks).toString())
      const path = request.url ?? ''
      webhooks.calls.push({ path, review })
      const answer = webhooks.#answer(path.split('?')[0]!, review)
      if (answer === undefined) return
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
    return webhooks
  }

  /** Sets the answer at a path: `response` of the AdmissionReview without its uid. */
  on(path: string, review: Review): void {
    this.#reviews.set(path, review)
  }

  /** The URL that a webhook configuration uses for a path of this server. */
  clientConfig(path: string): Json {
    return { url: `${this.url}${path}`, caBundle: Buffer.from(this.ca).toString('base64') }
  }

  callsOf(path: string): Json[] {
    return this.calls.filter((call) => call.path.split('?')[0] === path).map(({ review }) => review)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(path: string, review: Json): Json | undefined {
    const response = this.#reviews.get(path)?.(review.request)
    if (response === undefined) return undefined
    const { apiVersion, kind } = review
    return { apiVersion, kind, response: { uid: review.request.uid, ...response } }
  }
}

/** The `response` of a webhook that changes the object with a JSON patch. */
export const mutation = (patch: Json[]): Json => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
})
