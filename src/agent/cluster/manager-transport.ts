import { readFile } from 'node:fs/promises'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Agent, request } from 'undici'
import type { ModelReply } from '../../../actors/modeller/ports.ts'
import { REPORT_PATH, type ReportAnswer } from '../../api/agent-report.ts'
import { MODEL_DATA_PATH, readModelAnswer } from '../../api/model-report.ts'
import { isBug } from '../../base/bug.ts'
import { authoritiesIn } from '../../http/file-credentials.ts'
import { linkedController } from '../../kube/abort.ts'
import type { SendModel } from '../modeller/courier.ts'
import type { SendReport } from './reporter.ts'

/**
 * Returns certificates as PEM.
 * @param doubted whether the last report failed, perhaps because the managers have a newer CA
 */
export type ReadAuthority = (doubted: boolean) => Promise<string>

export interface ManagerTransportOptions {
  /**
   * The CA of the managers' certificates: a file, or a function that returns the CA. Read again for each report,
   * because CAs are renewed.
   */
  authority: string | ReadAuthority
  /** File with our service account's token. Read again for each report, because the kubelet replaces the token. */
  tokenFile: string
  /** The name in the managers' certificates, if the URLs have addresses or other names. */
  serverName?: string
  /** Milliseconds for one report. Default 20,000. */
  deadline?: number
}

const maxAnswer = 64 * 1024
/** Maximum interval in seconds. With a longer interval, managers would notice a missing agent too late. */
const maxRetryAfter = 3_600

/** A request. Without a signal, only the deadline ends it. */
interface Post {
  url: URL
  body: string
  signal?: AbortSignal
}

type ReplyWith<Answer> =
  | { kind: 'answer'; answer: Answer }
  | { kind: 'refused'; status: number; message: string; retryAfter?: number }
  | { kind: 'unreachable'; message: string }

/** Sends reports over TLS. The agent verifies the manager by the CA; the manager verifies the agent by its token. */
export class ManagerTransport {
  readonly #options: ManagerTransportOptions
  #agent: Agent | undefined
  #ca = ''
  #authorities = ''
  #doubted = false

  constructor(options: ManagerTransportOptions) {
    this.#options = options
  }

  readonly send: SendReport = (url, report, signal) =>
    this.#send({ url: new URL(REPORT_PATH, url), body: JSON.stringify(report), signal }, answerOf)

  /** Sends the recorded behaviour of a profile. */
  readonly sendModel: SendModel = (url, report): Promise<ModelReply> =>
    this.#send({ url: new URL(MODEL_DATA_PATH, url), body: JSON.stringify(report) }, readModelAnswer)

  async #send<Answer>(post: Post, read: (body: string) => Answer): Promise<ReplyWith<Answer>> {
    try {
      const reply = await this.#post(post, read)
      this.#doubted = false
      // The address may belong to a Service with several managers, so a new connection may reach another manager.
      if (reply.kind === 'refused' && reply.status >= 500) await this.#disconnect()
      return reply
    } catch (error) {
      this.#doubted = true
      await this.#disconnect()
      if (isBug(error)) throw error
      return { kind: 'unreachable', message: wordsOf(error) }
    }
  }

  async close(): Promise<void> {
    await this.#disconnect()
  }

  async #post<Answer>({ url, body, signal }: Post, read: (body: string) => Answer): Promise<ReplyWith<Answer>> {
    const { tokenFile, deadline = 20_000 } = this.#options
    const token = (await readFile(tokenFile, 'utf8')).trim()
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new Error(`${tokenFile} does not hold a token; it must be one line of ASCII`)
    const dispatcher = await this.#connected()
    const limit = AbortSignal.timeout(deadline)
    const { controller, release } = linkedController(signal ?? limit, limit)
    try {
      const response = await request(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
        dispatcher,
        signal: controller.signal,
      })
      return replyOf(response.statusCode, response.headers['retry-after'], await limited(response.body), read)
    } finally {
      release()
    }
  }

  async #connected(): Promise<Agent> {
    const { authority, serverName: servername, deadline: timeout = 20_000 } = this.#options
    const isFile = typeof authority === 'string'
    const ca = isFile ? await readFile(authority, 'utf8') : await authority(this.#doubted)
    // Without a CA certificate here, Node.js would trust public CAs.
    if (!ca.includes('-----BEGIN CERTIFICATE-----'))
      throw new Error(`${isFile ? authority : 'the ConfigMap of the managers'} has no CA certificate yet`)
    if (ca !== this.#ca) {
      this.#authorities = authoritiesIn(ca, isFile ? authority : 'the ConfigMap of the managers')
      await this.#disconnect()
    }
    this.#ca = ca
    this.#agent ??= new Agent({
      connections: 1,
      connect: { ca: this.#authorities, timeout, ...(servername !== undefined && { servername }) },
      headersTimeout: timeout,
      bodyTimeout: timeout,
    })
    return this.#agent
  }

  async #disconnect(): Promise<void> {
    const agent = this.#agent
    this.#agent = undefined
    await agent?.destroy()
  }
}

function replyOf<Answer>(
  status: number,
  retryAfter: unknown,
  text: string,
  read: (body: string) => Answer,
): ReplyWith<Answer> {
  if (status === 200) return { kind: 'answer', answer: read(text) }
  const seconds = Number(retryAfter)
  const after = seconds > 0 && { retryAfter: Math.min(seconds, maxRetryAfter) }
  return { kind: 'refused', status, message: text.slice(0, 1000), ...after }
}

async function limited(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxAnswer) throw new Error(`the answer is longer than ${maxAnswer} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An interval in seconds, at most a day. With a longer interval, managers would notice a missing agent too late. */
const interval = Type.Number({ minimum: 0, maximum: 86_400 })
const answer = Type.Object({
  epoch: Type.String({ maxLength: 256 }),
  complete: Type.Boolean(),
  intervalSeconds: interval,
  spacingSeconds: Type.Optional(interval),
})

function answerOf(text: string): ReportAnswer {
  const value: unknown = JSON.parse(text)
  if (!Value.Check(answer, value)) throw new Error(`the answer does not come from a manager: ${text.slice(0, 200)}`)
  const { epoch, complete, intervalSeconds, spacingSeconds } = value
  return { epoch, complete, intervalSeconds, ...(spacingSeconds !== undefined && { spacingSeconds }) }
}

/** The error as a text. It includes the cause, in which undici has the errno of the socket or the TLS error. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${code === undefined || error.message.includes(code) ? '' : `${code}: `}${error.message}${cause}`
}
