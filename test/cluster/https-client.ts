import { Agent, type Dispatcher, request } from 'undici'

export interface Trust {
  /** Certificate of the authority that issued the server's certificate, in PEM. */
  ca: string
  /** Certificate and key of the caller, in PEM; without them the caller is anonymous unless it sends a token. */
  cert?: string
  key?: string
}

export interface Call {
  body?: string | Uint8Array
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface Answer {
  status: number
  /** Header names in lower case; a comma joins several headers of one name. */
  headers: Record<string, string>
  text: string
}

export type Method = Dispatcher.HttpMethod

const flat = (headers: Record<string, string | string[] | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]))

/** A client of one HTTPS server that shows a test the exact answers: no retry, no redirect, no decoding. */
export class HttpsClient {
  readonly server: string
  #agent: Agent

  constructor(server: string, trust: Trust) {
    this.server = server
    this.#agent = new Agent({ connect: trust, allowH2: false })
  }

  async call(method: Method, path: string, call: Call = {}): Promise<Answer> {
    const { statusCode, headers, body } = await this.open(method, path, call)
    return { status: statusCode, headers: flat(headers), text: await body.text() }
  }

  /** The answer with an unread body, such as a watch. */
  open(method: Method, path: string, call: Call = {}): Promise<Dispatcher.ResponseData> {
    return request(`${this.server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: call.headers ?? {},
      ...(call.body === undefined ? {} : { body: call.body }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}
