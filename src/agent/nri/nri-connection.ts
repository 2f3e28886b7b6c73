import { connect, type Socket } from 'node:net'
import { mebibyte } from '../../base/bytes.ts'
import { Demultiplexer, framesOf, pluginConnection, runtimeConnection } from './multiplexer.ts'
import { NriError } from './nri-error.ts'
import { type Answer, TtrpcClient, TtrpcServer } from './ttrpc-ends.ts'

/**
 * Maximum bytes of answers that the runtime has not read. An answer has about 10 bytes, so a runtime that reads its
 * answers never reaches this limit.
 */
const maxUnread = mebibyte

/**
 * Connects to the socket.
 * @throws {NriError} NO_SOCKET, UNREACHABLE, or CLOSED when the signal is aborted
 */
export function connectTo(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new NriError('CLOSED', 'the plugin was stopped'))
    const socket = connect({ path })
    const abort = (): void => {
      socket.destroy()
      reject(new NriError('CLOSED', 'the plugin was stopped'))
    }
    signal.addEventListener('abort', abort)
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort)
      socket.off('error', refuse)
      resolve(socket)
    })
    const refuse = (error: NodeJS.ErrnoException): void => {
      signal.removeEventListener('abort', abort)
      reject(connectError(path, error))
    }
    socket.once('error', refuse)
  })
}

function connectError(path: string, error: NodeJS.ErrnoException): NriError {
  if (error.code !== 'ENOENT')
    return new NriError('UNREACHABLE', `${path}: ${error.message}; is the runtime running?`, { cause: error })
  const remedy =
    'containerd supports NRI from 1.7 and enables it by default from 2.0; see section io.containerd.nri.v1.nri of its configuration'
  return new NriError('NO_SOCKET', `${path} does not exist: ${remedy}`, { cause: error })
}

/** A connection to the runtime. */
export class NriConnection {
  readonly #socket: Socket
  readonly #demultiplexer = new Demultiplexer()
  readonly #server: TtrpcServer
  readonly #client = new TtrpcClient((message) => this.#send(runtimeConnection, message))
  #end!: (error: unknown) => void
  #over = false
  /** Resolves with the reason when the connection has ended. Never rejects. */
  readonly ended: Promise<unknown> = new Promise((resolve) => {
    this.#end = resolve
  })

  /** @param methods the methods that the runtime may call */
  constructor(socket: Socket, methods: ReadonlyMap<string, Answer>) {
    this.#socket = socket
    this.#server = new TtrpcServer({
      methods,
      send: (message) => this.#send(pluginConnection, message),
      fail: (error) => this.fail(error),
    })
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.fail(new NriError('CLOSED', error.message, { cause: error })))
    socket.on('close', () => this.fail(new NriError('CLOSED', 'the runtime closed the connection')))
  }

  /**
   * Calls the runtime.
   * @param timeout milliseconds that the runtime has; the caller enforces the limit
   * @throws {NriError} REFUSED, or the error that ended the connection
   */
  call(service: string, method: string, payload: Buffer, timeout: number): Promise<Buffer> {
    return this.#client.call(service, method, payload, timeout)
  }

  /** Ends the connection with this error. A second call does nothing. */
  fail(error: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#socket.destroy()
    this.#client.end(new NriError('CLOSED', 'the connection was closed', { cause: error }))
    this.#end(error)
  }

  #take(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#demultiplexer.push(chunk, (connection, bytes) => {
        if (connection === pluginConnection) this.#server.push(bytes)
        else this.#client.push(bytes)
      })
    } catch (error) {
      this.fail(error)
    }
  }

  #send(connection: number, message: Buffer): void {
    if (this.#over) return
    this.#socket.write(framesOf(connection, message))
    if (this.#socket.writableLength > maxUnread)
      this.fail(new NriError('PROTOCOL', `the runtime has not read more than ${maxUnread} bytes of answers`))
  }
}
