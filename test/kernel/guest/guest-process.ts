import { constants } from 'node:os'
import { Readable, Writable } from 'node:stream'
import { chunk, encodeFrame, type Frame, spawnPayload, toGuest, toHost, uint32, window } from './frames.ts'

export interface SpawnOptions {
  env?: Readonly<Record<string, string>>
  /** Folder to run in; `/` by default. */
  cwd?: string
}

/** Exit status of a command, as a shell reports it: for a signal, 128 and its number. */
export interface GuestExit {
  code: number
  signal: NodeJS.Signals | undefined
}

const signalName = (number: number): NodeJS.Signals | undefined =>
  (Object.entries(constants.signals) as [NodeJS.Signals, number][]).find(([, value]) => value === number)?.[0]

/** A stream of bytes from the guest. Its sender waits while the host does not read. */
class Output extends Readable {
  #waiting: Buffer[] = []
  #wanted = false
  #credit: (bytes: number) => void

  constructor(credit: (bytes: number) => void) {
    super({ highWaterMark: chunk })
    this.#credit = credit
  }

  receive(bytes: Buffer): void {
    this.#waiting.push(bytes)
    if (this.#wanted) this._read()
  }

  override _read(): void {
    this.#wanted = true
    while (this.#wanted && this.#waiting.length > 0) {
      const bytes = this.#waiting.shift()!
      if (bytes.length > 0) this.#credit(bytes.length)
      this.#wanted = this.push(bytes.length > 0 ? bytes : null)
    }
  }
}

/** The input of a command. Its writer waits while the command does not read. */
class Input extends Writable {
  #send: (bytes: Uint8Array) => void
  #open = window
  #queue: { bytes: Buffer; done: () => void }[] = []

  constructor(send: (bytes: Uint8Array) => void) {
    super()
    this.#send = send
    // The guest discarded the input that an ended command did not read.
    this.on('error', () => undefined)
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: () => void): void {
    this.#queue.push({ bytes, done })
    this.#flush()
  }

  override _final(done: () => void): void {
    this.#send(Buffer.alloc(0))
    done()
  }

  accepted(bytes: number): void {
    this.#open += bytes
    this.#flush()
  }

  #flush(): void {
    for (let next = this.#queue[0]; next !== undefined && this.#open > 0; next = this.#queue[0]) {
      const part = next.bytes.subarray(0, Math.min(chunk, this.#open))
      this.#send(part)
      this.#open -= part.length
      next.bytes = next.bytes.subarray(part.length)
      if (next.bytes.length > 0) continue
      this.#queue.shift()
      next.done()
    }
  }
}

/** A command that runs in the guest. */
export class GuestProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /**
   * Resolves when the command has ended. Processes it started may still hold its output. @rejects if it could not be
   * run
   */
  readonly exited: Promise<GuestExit>
  /** Like `exited`, but also waits until both streams are read to their end. */
  readonly closed: Promise<GuestExit>
  readonly id: number
  #send: (frame: Buffer) => void
  #outputs: [Output, Output]
  #input: Input
  #settle!: { resolve(exit: GuestExit): void; reject(error: Error): void }

  constructor(id: number, command: readonly string[], options: SpawnOptions, send: (frame: Buffer) => void) {
    this.id = id
    this.#send = send
    const credit = (stream: number) => (bytes: number) =>
      send(encodeFrame(toGuest.credit, id, Buffer.concat([Buffer.of(stream), uint32(bytes)])))
    this.#outputs = [new Output(credit(0)), new Output(credit(1))]
    this.#input = new Input((bytes) => send(encodeFrame(toGuest.input, id, bytes)))
    this.stdin = this.#input
    this.stdout = this.#outputs[0]
    this.stderr = this.#outputs[1]
    this.exited = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.closed = this.#close()
    // A caller that awaits neither promise learns about a failure from the guest's end.
    for (const end of [this.exited, this.closed]) end.catch(() => undefined)
    send(encodeFrame(toGuest.spawn, id, spawnPayload(command, options.cwd ?? '/', options.env ?? {})))
  }

  /** Sends a signal to the command and to every process that it started in its session. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#send(encodeFrame(toGuest.kill, this.id, Buffer.of(constants.signals[signal])))
  }

  /** Handles a frame about this command. */
  handle({ type, payload }: Frame): void {
    if (type === toHost.stdout) this.#outputs[0].receive(payload)
    else if (type === toHost.stderr) this.#outputs[1].receive(payload)
    else if (type === toHost.accepted) this.#input.accepted(payload.readUInt32LE(0))
    else if (type === toHost.failed) this.abort(new Error(payload.toString()))
    else if (type === toHost.exit) {
      const signal = signalName(payload[1]!)
      this.#settle.resolve({ code: payload[1] === 0 ? payload[0]! : 128 + payload[1]!, signal })
    }
  }

  /** The guest has ended, so the command cannot end normally. */
  abort(error: Error): void {
    this.#settle.reject(error)
    for (const stream of this.#outputs) stream.receive(Buffer.alloc(0))
    this.#input.destroy()
  }

  async #close(): Promise<GuestExit> {
    const ends = this.#outputs.map((stream) => new Promise((resolve) => stream.once('end', resolve)))
    const exit = await this.exited
    await Promise.all(ends)
    return exit
  }
}
