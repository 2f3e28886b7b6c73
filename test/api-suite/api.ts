import { expect } from 'chai'
import { HttpsClient, type Method } from '../cluster/https-client.ts'
import type { ApiTarget } from './target.ts'
import { WatchStream } from './watch-stream.ts'

/** An object of the API, or a part of one. The suite tests the server, not this type. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of any shape, and fail where it is another
export type Json = any

export interface Reply {
  status: number
  headers: Record<string, string>
  text: string
  /** The body if it is JSON, else undefined. */
  body: Json
}

export interface CallOptions {
  headers?: Record<string, string>
  /** Bearer token, used in place of the caller's login. */
  token?: string
  /** Body that is sent unchanged. */
  raw?: string
}

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

export type PatchType = keyof typeof patchTypes

/** The API as one caller sees it. */
export class Api {
  #client: HttpsClient
  #token: string | undefined

  constructor(client: HttpsClient, token?: string) {
    this.#client = client
    this.#token = token
  }

  static admin({ server, ca, admin }: ApiTarget): Api {
    if ('token' in admin) return new Api(new HttpsClient(server, { ca }), admin.token)
    return new Api(new HttpsClient(server, { ca, cert: admin.certificate, key: admin.key }))
  }

  /** A client without credentials; a call may bring a token. */
  static anonymous({ server, ca }: ApiTarget): Api {
    return new Api(new HttpsClient(server, { ca }))
  }

  static withToken({ server, ca }: ApiTarget, token: string): Api {
    return new Api(new HttpsClient(server, { ca }), token)
  }

  get(path: string, options?: CallOptions): Promise<Reply> {
    return this.call('GET', path, undefined, options)
  }

  post(path: string, body: Json, options?: CallOptions): Promise<Reply> {
    return this.call('POST', path, body, options)
  }

  put(path: string, body: Json, options?: CallOptions): Promise<Reply> {
    return this.call('PUT', path, body, options)
  }

  patch(type: PatchType, path: string, body: Json, options: CallOptions = {}): Promise<Reply> {
    const headers = { 'content-type': patchTypes[type], ...options.headers }
    return this.call('PATCH', path, body, { ...options, headers })
  }

  delete(path: string, body?: Json, options?: CallOptions): Promise<Reply> {
    return this.call('DELETE', path, body, options)
  }

  /** Sends a server-side apply. */
  apply(path: string, manager: string, body: Json, query = ''): Promise<Reply> {
    return this.patch('apply', `${path}?fieldManager=${manager}${query}`, body)
  }

  async call(method: Method, path: string, body?: Json, options: CallOptions = {}): Promise<Reply> {
    const content = options.raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const headers = {
      accept: 'application/json',
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      ...this.#authorization(options.token),
      ...options.headers,
    }
    const answer = await this.#client.call(
      method,
      path,
      content === undefined ? { headers } : { headers, body: content },
    )
    const isJson = answer.headers['content-type']?.startsWith('application/json') ?? false
    return { ...answer, body: isJson ? JSON.parse(answer.text) : undefined }
  }

  /**
   * Creates a valid object.
   * @returns the stored object
   * @throws if the server refuses it
   */
  async create(path: string, body: Json): Promise<Json> {
    const reply = await this.post(path, body)
    expect(reply.status, reply.text).to.equal(201)
    return reply.body
  }

  /** Reads an object that must exist. */
  async read(path: string): Promise<Json> {
    const reply = await this.get(path)
    expect(reply.status, reply.text).to.equal(200)
    return reply.body
  }

  /** Opens a watch. The caller closes it. */
  async watch(path: string, options: CallOptions = {}): Promise<WatchStream> {
    const stop = new AbortController()
    const headers = { accept: 'application/json', ...this.#authorization(options.token), ...options.headers }
    const { statusCode, body } = await this.#client.open('GET', path, { headers, signal: stop.signal })
    return new WatchStream(statusCode, body, stop)
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #authorization(token = this.#token): Record<string, string> {
    return token === undefined ? {} : { authorization: `Bearer ${token}` }
  }
}
