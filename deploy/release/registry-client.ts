import type { Credentials } from './credentials.ts'
import { digestOf, manifestType } from './oci.ts'
import { isLoopback } from './reference.ts'

interface Request {
  method?: string
  headers?: Record<string, string>
  body?: Uint8Array
}

/** Limit for one answer, in milliseconds. */
const timeout = 60_000

/**
 * The part of the distribution API that a release needs beside buildah and Helm: whether a tag exists, and an image
 * that no builder can make. https://github.com/opencontainers/distribution-spec
 */
export class RegistryClient {
  readonly #origin: string
  readonly #credentials: Credentials | undefined
  #authorization: string | undefined

  constructor(host: string, credentials: Credentials | undefined) {
    this.#origin = `${isLoopback(host) ? 'http' : 'https'}://${host}`
    this.#credentials = credentials
  }

  /** @returns the digest of the manifest with this tag, or undefined if the registry does not have the tag */
  async digest(repository: string, tag: string): Promise<string | undefined> {
    const accepted = [manifestType, 'application/vnd.docker.distribution.manifest.v2+json'].join(', ')
    const path = `/v2/${repository}/manifests/${tag}`
    const answer = await this.#send(path, { headers: { accept: accepted } })
    if (answer.status === 404) return undefined
    await this.#expect(answer, path, 200)
    return digestOf(new Uint8Array(await answer.arrayBuffer()))
  }

  /** Pushes an image whose blobs are in memory. */
  async push(repository: string, tag: string, image: { manifest: Uint8Array; blobs: readonly Uint8Array[] }) {
    for (const blob of image.blobs) await this.#pushBlob(repository, blob)
    const path = `/v2/${repository}/manifests/${tag}`
    const headers = { 'content-type': manifestType }
    await this.#expect(await this.#send(path, { method: 'PUT', headers, body: image.manifest }), path, 201)
  }

  async #pushBlob(repository: string, blob: Uint8Array): Promise<void> {
    const start = `/v2/${repository}/blobs/uploads/`
    const opened = await this.#expect(await this.#send(start, { method: 'POST' }), start, 202)
    const location = opened.headers.get('location')
    if (location === null) throw new Error(`${this.#origin}${start}: the answer has no location for the upload`)
    const target = new URL(location, this.#origin)
    target.searchParams.set('digest', digestOf(blob))
    const headers = { 'content-type': 'application/octet-stream' }
    await this.#expect(await this.#send(target.href, { method: 'PUT', headers, body: blob }), start, 201)
  }

  async #expect(answer: Response, path: string, status: number): Promise<Response> {
    if (answer.status === status) return answer
    const remedy = answer.status === 401 || answer.status === 403 ? `; log in: buildah login ${this.#host}` : ''
    const text = (await answer.text()).slice(0, 500)
    throw new Error(`${this.#origin}${path}: the registry answered ${answer.status} ${text}${remedy}`)
  }

  get #host(): string {
    return new URL(this.#origin).host
  }

  async #send(path: string, request: Request): Promise<Response> {
    const answer = await this.#fetch(path, request)
    if (answer.status !== 401) return answer
    this.#authorization = await this.#authorize(answer.headers.get('www-authenticate') ?? '')
    return this.#authorization === undefined ? answer : this.#fetch(path, request)
  }

  async #fetch(path: string, { method = 'GET', headers = {}, body }: Request): Promise<Response> {
    const url = new URL(path, this.#origin)
    // A location on another host must not get the credentials of this registry.
    const own = url.origin === this.#origin && this.#authorization !== undefined
    const all = own ? { ...headers, authorization: this.#authorization! } : headers
    try {
      return await fetch(url, { method, headers: all, signal: AbortSignal.timeout(timeout), ...(body && { body }) })
    } catch (error) {
      const { cause, message } = error as Error
      throw new Error(`${url.origin} cannot be reached: ${cause instanceof Error ? cause.message : message}`)
    }
  }

  /** @returns the header for a challenge, or undefined without credentials that could meet it */
  async #authorize(challenge: string): Promise<string | undefined> {
    const { user, password } = this.#credentials ?? {}
    const basic = user === undefined ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    if (!/^bearer /i.test(challenge)) return basic
    const { realm, ...scope } = Object.fromEntries(
      [...challenge.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
    )
    if (realm === undefined) return undefined
    const url = new URL(realm)
    for (const [name, value] of Object.entries(scope)) url.searchParams.set(name, value)
    const answer = await fetch(url, {
      headers: basic === undefined ? {} : { authorization: basic },
      signal: AbortSignal.timeout(timeout),
    })
    if (!answer.ok) return undefined
    const { token, access_token } = (await answer.json()) as Record<string, string>
    return `Bearer ${token ?? access_token}`
  }
}
