import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

/** Receives messages over RELP (https://github.com/rsyslog/librelp/blob/master/doc/relp.html), like a log server. */
export class RelpReceiver {
  readonly messages: string[] = []
  /** If false, the receiver neither keeps nor confirms messages, as if each message crashed it. */
  takes = true
  /** Number of messages that arrived while `takes` was false. */
  refused = 0
  #server: Server | undefined
  #sockets = new Set<Socket>()

  /** @param port 0 for any free port */
  async listen(port: number): Promise<number> {
    const server = createServer((socket) => this.#serve(socket))
    this.#server = server
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as { port: number }).port
  }

  /** Stops as if the receiver died: connections break at any point. */
  async away(): Promise<void> {
    const closed = this.#server === undefined ? undefined : once(this.#server, 'close')
    this.#server?.close()
    this.#server = undefined
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined)
    let rest = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      for (let frame = firstFrame(rest); frame !== undefined; frame = firstFrame(rest)) {
        rest = rest.subarray(frame.length)
        this.#take(socket, frame)
      }
    })
  }

  #take(socket: Socket, { number, command, data }: Frame): void {
    const answer = (text: string): void => void socket.write(`${number} rsp ${Buffer.byteLength(text)} ${text}\n`)
    if (command === 'open') answer(`200 OK\n${data}`)
    else if (command === 'syslog') {
      this.refused += this.takes ? 0 : 1
      if (!this.takes) return
      this.messages.push(data)
      answer('200 OK')
    } else if (command === 'close') {
      answer('')
      socket.end()
    }
  }
}

interface Frame {
  number: string
  command: string
  data: string
  /** Bytes of the whole frame. */
  length: number
}

/** `NUMBER COMMAND LENGTH[ DATA]\n` */
function firstFrame(bytes: Buffer): Frame | undefined {
  const head = /^(\d+) (\w+) (\d+)([ \n])/.exec(bytes.toString('latin1', 0, 64))
  if (head === null) return undefined
  const [all, number = '', command = '', size = '', end] = head
  const start = end === ' ' ? all.length : all.length - 1
  const length = start + Number(size) + 1
  if (bytes.length < length) return undefined
  return { number, command, data: bytes.toString('utf8', start, start + Number(size)), length }
}
