import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { fromJSON, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader'
import { mebibyte } from '../../base/bytes.ts'
import { systemClock } from '../../base/clock.ts'
import { RuntimeError } from './runtime.ts'

/** google.protobuf.Any. */
export interface AnyValue {
  // The name of a message type.
  type_url: string
  value: Buffer
}

export interface GrpcClientOptions {
  socket: string
  /** containerd's namespace. */
  namespace: string
  /** Default deadline of a call, in milliseconds. */
  deadline: number
  definitions: PackageDefinition
}

export interface GrpcCallOptions {
  /** Milliseconds; Infinity for a call that waits for events. */
  deadline?: number
  signal?: AbortSignal
}

/** Maximum bytes of a message, as in the runtime itself. */
const largestMessage = 16 * mebibyte

/** Reads a descriptor that `npm run generate` has written. */
export const protoDefinitions = (descriptor: string): PackageDefinition =>
  fromJSON(JSON.parse(descriptor), { longs: String, enums: String, defaults: true })

type Method = MethodDefinition<object, object>

/** gRPC calls over a Unix socket. Every failure is a RuntimeError. */
export class GrpcClient {
  readonly #client: Client
  readonly #options: GrpcClientOptions
  readonly #metadata = new Metadata()

  constructor(options: GrpcClientOptions) {
    this.#options = options
    this.#metadata.set('containerd-namespace', options.namespace)
    this.#client = new Client(`unix:${options.socket}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': largestMessage,
      // Short, to find a restarted runtime soon. The caller has its own delay between retries.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    })
  }

  close(): void {
    this.#client.close()
  }

  call<Answer>(
    service: string,
    name: string,
    request: object,
    { deadline = this.#options.deadline, signal }: GrpcCallOptions = {},
  ): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = this.#method(service, name)
    return new Promise((resolve, reject) => {
      let isLate = false
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata,
        (error, answer) => {
          signal?.removeEventListener('abort', cancel)
          timer?.cancel()
          if (isLate) reject(new RuntimeError('DEADLINE_EXCEEDED', `${name}: no answer within ${deadline} ms`))
          else if (error !== null) reject(runtimeError(name, error))
          else resolve(answer as Answer)
        },
      )
      const cancel = (): void => call.cancel()
      // The library's own deadline uses wall-clock time, which can be changed.
      const timer =
        deadline === Number.POSITIVE_INFINITY
          ? undefined
          : systemClock.after(deadline, () => {
              isLate = true
              cancel()
            })
      signal?.addEventListener('abort', cancel)
      if (signal?.aborted) cancel()
    })
  }

  /**
   * Passes the messages of a stream to `take`, in order. Resolves when the stream ends.
   * @throws a RuntimeError when the stream breaks or the signal is aborted; an error of `take`, which also ends the
   * stream
   */
  follow<Message>(
    service: string,
    name: string,
    request: object,
    take: (message: Message) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = this.#method(service, name)
    const stream: ClientReadableStream<object> = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      this.#metadata,
    )
    const cancel = (): void => stream.cancel()
    signal.addEventListener('abort', cancel)
    if (signal.aborted) cancel()
    let taken: Promise<void> = Promise.resolve()
    return new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void => {
        reject(error)
        cancel()
      }
      stream.on('data', (message: Message) => {
        taken = taken.then(() => take(message))
        taken.catch(fail)
      })
      stream.on('error', (error) => reject(runtimeError('the event stream', error)))
      stream.on('end', () => taken.then(resolve, fail))
    }).finally(() => signal.removeEventListener('abort', cancel))
  }

  #method(service: string, name: string): Method {
    return (this.#options.definitions[service] as ServiceDefinition)[name] as Method
  }
}

export function runtimeError(what: string, error: ServiceError | Error): RuntimeError {
  const { code } = error as Partial<ServiceError>
  return new RuntimeError(code === undefined ? 'UNKNOWN' : status[code], `${what}: ${error.message}`, { cause: error })
}

/** The runtime's own error text, without the names of calls and codes. */
export function runtimeMessage(error: RuntimeError): string {
  const { details, message } = (error.cause ?? {}) as Partial<ServiceError>
  return details || message || error.message
}
