import { status } from '@grpc/grpc-js'
import { NriError } from './nri-error.ts'
import { decodeMessage, encodeMessage, type TtrpcRequest, type TtrpcResponse } from './nri-messages.ts'
import { MessageReader, messageBytes, messageType, type TtrpcMessage } from './ttrpc-message.ts'

/**
 * Answers a call. If it throws, the connection ends, because the runtime would refuse the container if it received the
 * error as an answer.
 * @param timeout milliseconds that the caller waits; undefined if the caller does not send its limit
 */
export type Answer = (payload: Buffer, timeout: number | undefined) => Buffer | Promise<Buffer>

/**
 * Maximum calls that wait for an answer. The runtime makes one call at a time, or a few at once when it lets plugins
 * validate a change.
 */
export const maxUnanswered = 64

export interface TtrpcServerOptions {
  /** Keys are service and method, separated by a slash. */
  methods: ReadonlyMap<string, Answer>
  send(message: Buffer): void
  fail(error: unknown): void
}

/** Answers the calls that arrive on a connection. */
export class TtrpcServer {
  readonly #options: TtrpcServerOptions
  readonly #reader = new MessageReader()
  #lastStream = -1
  #unanswered = 0

  constructor(options: TtrpcServerOptions) {
    this.#options = options
  }

  /** @throws {NriError} PROTOCOL */
  push(bytes: Buffer): void {
    this.#reader.push(bytes, (message) => this.#take(message))
  }

  #take({ stream, type, body }: TtrpcMessage): void {
    if (type !== messageType.request) throw new NriError('PROTOCOL', `a message of type ${type} in place of a request`)
    if (stream % 2 !== 1 || stream <= this.#lastStream)
      throw new NriError(
        'PROTOCOL',
        `a request with number ${stream} after ${this.#lastStream}; numbers must be odd and increase`,
      )
    this.#lastStream = stream
    if (this.#unanswered >= maxUnanswered)
      throw new NriError('PROTOCOL', `more than ${maxUnanswered} requests without an answer`)
    const { service, method, payload, timeoutNano } = decodeMessage<TtrpcRequest>('ttrpc.Request', body)
    const answer = this.#options.methods.get(`${service}/${method}`)
    if (answer === undefined) {
      this.#respond(stream, {
        status: { code: status.UNIMPLEMENTED, message: `the method ${service}/${method} does not exist` },
      })
      return
    }
    this.#unanswered++
    const timeout = Number(timeoutNano) > 0 ? Number(timeoutNano) / 1e6 : undefined
    this.#answer(stream, answer, payload, timeout).catch(this.#options.fail)
  }

  async #answer(stream: number, answer: Answer, payload: Buffer, timeout: number | undefined): Promise<void> {
    const response = await answer(payload, timeout)
    this.#unanswered--
    this.#respond(stream, { payload: response })
  }

  #respond(stream: number, response: Partial<TtrpcResponse>): void {
    const body = encodeMessage('ttrpc.Response', response)
    this.#options.send(messageBytes({ stream, type: messageType.response, flags: 0, body }))
  }
}

interface Call {
  name: string
  resolve(payload: Buffer): void
  reject(error: NriError): void
}

/**
 * Makes calls on a connection. `timeout` only tells the other end how many milliseconds the caller waits; the caller
 * must enforce the limit.
 */
export class TtrpcClient {
  readonly #send: (message: Buffer) => void
  readonly #reader = new MessageReader()
  readonly #calls = new Map<number, Call>()
  #nextStream = 1

  constructor(send: (message: Buffer) => void) {
    this.#send = send
  }

  /** Rejects with an NriError REFUSED if the other end answers with an error. */
  call(service: string, method: string, payload: Buffer, timeout: number): Promise<Buffer> {
    const stream = this.#nextStream
    this.#nextStream += 2
    const request: TtrpcRequest = { service, method, payload, timeoutNano: String(Math.round(timeout * 1e6)) }
    const body = encodeMessage('ttrpc.Request', request)
    return new Promise((resolve, reject) => {
      this.#calls.set(stream, { name: `${service}/${method}`, resolve, reject })
      this.#send(messageBytes({ stream, type: messageType.request, flags: 0, body }))
    })
  }

  /** @throws {NriError} PROTOCOL */
  push(bytes: Buffer): void {
    this.#reader.push(bytes, (message) => this.#take(message))
  }

  /** Rejects all waiting calls with this error. */
  end(error: NriError): void {
    for (const { reject } of this.#calls.values()) reject(error)
    this.#calls.clear()
  }

  #take({ stream, type, body }: TtrpcMessage): void {
    const call = this.#calls.get(stream)
    if (type !== messageType.response || call === undefined)
      throw new NriError('PROTOCOL', `an answer without a request: type ${type}, number ${stream}`)
    this.#calls.delete(stream)
    const { status: result, payload } = decodeMessage<TtrpcResponse>('ttrpc.Response', body)
    if (result === null || result.code === status.OK) call.resolve(payload)
    else {
      const code = status[result.code] ?? result.code
      call.reject(new NriError('REFUSED', `${call.name}: ${result.message} (${code})`))
    }
  }
}
