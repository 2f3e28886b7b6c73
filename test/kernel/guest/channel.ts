import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { encodeFrame, type Frame, FrameReader, toGuest, toHost } from './frames.ts'
import { GuestProcess, type SpawnOptions } from './guest-process.ts'

/** The host's end of the port that carries commands to the guest. QEMU connects to it. */
export class Channel {
  /** Resolves when the guest takes commands. */
  readonly ready: Promise<void>
  #server: Server
  #socket: Socket | undefined
  #processes = new Map<number, GuestProcess>()
  #last = 0
  #ended: Error | undefined
  #isReady!: () => void
  #pong: (() => void) | undefined

  private constructor(server: Server) {
    this.#server = server
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve
    })
    server.on('connection', (socket) => this.#connect(socket))
  }

  /** Waits for a guest at the path of a Unix socket. */
  static async listen(path: string): Promise<Channel> {
    const server = createServer()
    server.listen(path)
    await once(server, 'listening')
    return new Channel(server)
  }

  spawn(command: readonly string[], options: SpawnOptions): GuestProcess {
    if (command.length === 0) throw new Error('a command has at least one word')
    this.#last += 1
    const process = new GuestProcess(this.#last, command, options, (frame) => this.#send(frame))
    if (this.#ended === undefined) this.#processes.set(process.id, process)
    else process.abort(this.#ended)
    const forget = (): boolean => this.#processes.delete(process.id)
    process.closed.then(forget, forget)
    return process
  }

  /** Resolves when the guest has answered the ping. */
  ping(): Promise<void> {
    return new Promise((resolve) => {
      this.#pong = resolve
      this.#send(encodeFrame(toGuest.ping, 0))
    })
  }

  /** Ends the channel: no frame arrives any longer, and all commands fail with the reason. */
  end(error: Error): void {
    this.#ended ??= error
    for (const process of this.#processes.values()) process.abort(error)
    this.#processes.clear()
    this.#socket?.destroy()
    this.#server.close()
  }

  #send(frame: Buffer): void {
    if (this.#ended === undefined) this.#socket?.write(frame)
  }

  #connect(socket: Socket): void {
    this.#socket = socket
    const frames = new FrameReader()
    // The exit of QEMU tells how the guest ended.
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      for (const frame of frames.take(bytes)) this.#handle(frame)
    })
  }

  #handle(frame: Frame): void {
    if (frame.type === toHost.ready) this.#isReady()
    else if (frame.type === toHost.pong) this.#pong?.()
    else this.#processes.get(frame.id)?.handle(frame)
  }
}
