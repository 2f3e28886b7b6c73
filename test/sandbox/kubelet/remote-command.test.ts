import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import WebSocket, { WebSocketServer } from 'ws'
import { RuntimeError } from '../../../src/agent/containers/runtime.ts'
import type { ContainerProcess } from '../../../src/sandbox/kubelet/container-process.ts'
import { exitStatus, parseSize, serveCommand } from '../../../src/sandbox/kubelet/remote-command.ts'

const request = { command: ['x'], stdin: true, stdout: true, stderr: true, tty: false }

class FakeProcess implements ContainerProcess {
  readonly stdin = new PassThrough({ highWaterMark: 16 })
  readonly stdout: Readable
  readonly stderr: Readable = Readable.from([])
  readonly sizes: string[] = []
  killed = false
  readonly exit: Promise<number>
  end: (code: number) => void = () => undefined

  constructor(stdout: Readable = new PassThrough()) {
    this.stdout = stdout
    this.exit = new Promise((resolve) => {
      this.end = resolve
    })
  }

  async resize(columns: number, rows: number): Promise<void> {
    this.sizes.push(`${columns}x${rows}`)
  }

  async kill(): Promise<void> {
    this.killed = true
    this.stdout.destroy()
    this.end(137)
  }
}

describe('a command over a WebSocket', () => {
  let server: WebSocketServer
  let start: () => Promise<ContainerProcess>
  let served: Promise<void>
  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket) => {
      served = serveCommand(socket, request, () => start())
    })
    await once(server, 'listening')
  })
  afterEach(() => new Promise((resolve) => server.close(resolve)))

  /** All that came on a channel, by its number, once the server has closed. */
  const talk = async (say: (socket: WebSocket) => void): Promise<Map<number, string>> => {
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const heard = new Map<number, Buffer[]>()
    socket.on('message', (data: Buffer) => {
      const channel = data[0] ?? -1
      heard.set(channel, [...(heard.get(channel) ?? []), data.subarray(1)])
    })
    await once(socket, 'open')
    say(socket)
    await once(socket, 'close')
    return new Map(Array.from(heard, ([channel, chunks]) => [channel, Buffer.concat(chunks).toString()]))
  }
  const send = (socket: WebSocket, channel: number, content: string | Uint8Array): void =>
    socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(content)]))

  it('carries input to its end, output and exit status', async () => {
    const process = new FakeProcess()
    start = async () => process
    const heard = await talk(async (socket) => {
      send(socket, 0, 'ab')
      send(socket, 0, 'c'.repeat(100_000))
      send(socket, 4, '{"Width":80,"Height":24}')
      send(socket, 255, Buffer.from([0]))
      const input = await text(process.stdin)
      process.stdout.push(`${input.length}`)
      process.stdout.push(null)
      process.end(3)
    })
    expect(heard.get(1)).to.equal('100002')
    expect(JSON.parse(heard.get(3) ?? '')).to.deep.equal(exitStatus(3))
    expect(process.sizes).to.deep.equal(['80x24'])
    expect(process.killed).to.equal(false)
  })

  it('loses nothing of an output that is faster than its reader', async () => {
    const chunk = 'x'.repeat(100_000)
    const process = new FakeProcess(Readable.from(Array.from({ length: 100 }, () => Buffer.from(chunk))))
    start = async () => process
    process.end(0)
    const heard = await talk((socket) => {
      socket.pause()
      setTimeout(() => socket.resume(), 50)
    })
    expect(heard.get(1)?.length).to.equal(10_000_000)
    expect(JSON.parse(heard.get(3) ?? '')).to.deep.equal({ metadata: {}, status: 'Success' })
  })

  it('ends also where the output was over before anybody read it', async () => {
    const process = new FakeProcess(Readable.from([]))
    process.stdout.resume()
    await once(process.stdout, 'close')
    start = async () => process
    process.end(0)
    expect((await talk(() => undefined)).get(3)).to.include('Success')
  })

  it('kills the process of a client that goes away', async () => {
    const process = new FakeProcess()
    start = async () => process
    await talk((socket) => setTimeout(() => socket.terminate(), 20))
    await served
    expect(process.killed).to.equal(true)
  })

  it('says why a command cannot be started', async () => {
    const cause = Object.assign(new Error('x'), { details: 'executable file not found' })
    start = async () => {
      throw new RuntimeError('UNKNOWN', 'Start', { cause })
    }
    const status = JSON.parse((await talk(() => undefined)).get(3) ?? '') as { message: string; reason: string }
    expect(status).to.include({ reason: 'InternalError' })
    expect(status.message).to.include('error executing command in container: executable file not found')
  })
})

const statuses: [code: number, status: object][] = [
  [0, { metadata: {}, status: 'Success' }],
  [1, { causes: [{ reason: 'ExitCode', message: '1' }] }],
  [255, { causes: [{ reason: 'ExitCode', message: '255' }] }],
]
const sizes: [text: string, size: object | undefined][] = [
  ['{"Width":80,"Height":24}', { columns: 80, rows: 24 }],
  ['{"Width":0,"Height":0}', { columns: 0, rows: 0 }],
  ['{"Width":-1,"Height":24}', undefined],
  ['{"Width":70000,"Height":24}', undefined],
  ['{"Width":"80","Height":24}', undefined],
  ['{}', undefined],
  ['null', undefined],
  ['{', undefined],
]

describe('what client and kubelet tell each other of a command', () => {
  for (const [code, status] of statuses)
    it(`exit code ${code}`, () =>
      expect(code === 0 ? exitStatus(code) : exitStatus(code)['details']).to.deep.equal(status))
  for (const [text, size] of sizes)
    it(`window ${text} ${size === undefined ? 'is left out' : 'is taken'}`, () =>
      expect(parseSize(text)).to.deep.equal(size))
})
