import { finished, type Readable } from 'node:stream'
import type { WebSocket } from 'ws'
import { runtimeMessage } from '../../agent/containers/grpc-client.ts'
import { RuntimeError } from '../../agent/containers/runtime.ts'
import type { ContainerProcess, ProcessRequest } from './container-process.ts'

/**
 * Protocols of a command over a WebSocket (apimachinery, pkg/util/remotecommand/constants.go), the best first. Each message
 * begins with the number of its channel; only v5 can say that a channel is at its end.
 */
export const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const
/** Bytes that may wait for a slow client before the process has to wait. */
const mostWaiting = 1024 * 1024

type Status = Readonly<Record<string, unknown>>

/** Carries a process to a client and back, until it has ended and the client has all of it. */
export async function serveCommand(
  socket: WebSocket,
  request: ProcessRequest,
  start: () => Promise<ContainerProcess>,
): Promise<void> {
  // Nothing is read before there is somebody to read it.
  socket.pause()
  const first = request.stdout ? channel.stdout : request.stderr && !request.tty ? channel.stderr : channel.error
  // Tells the client that it is connected.
  send(socket, first, new Uint8Array())
  const status = await start().then(
    (process) => carry(socket, process),
    (error: unknown) => startFailure(error),
  )
  send(socket, channel.error, Buffer.from(JSON.stringify(status)))
  socket.close(1000)
  // To read what the other side says to that.
  socket.resume()
}

async function carry(socket: WebSocket, process: ContainerProcess): Promise<Status> {
  const kill = (): void => void process.kill().catch(() => undefined)
  // Nobody is there to see what it does, or to end it.
  socket.once('close', kill)
  if (socket.readyState !== socket.OPEN) kill()
  takeMessages(socket, process)
  socket.resume()
  const outputs = [forward(socket, channel.stdout, process.stdout), forward(socket, channel.stderr, process.stderr)]
  try {
    const code = await process.exit
    await Promise.all(outputs)
    return exitStatus(code)
  } catch (error) {
    return startFailure(error)
  } finally {
    socket.off('close', kill)
  }
}

function takeMessages(socket: WebSocket, process: ContainerProcess): void {
  const { stdin } = process
  // It has ended, or has closed its input: what comes for it is for nobody.
  stdin?.on('error', () => undefined)
  socket.on('message', (data: Buffer) => {
    const [to, about] = data
    const content = data.subarray(1)
    if (to === channel.stdin) {
      if (stdin?.writable && content.length > 0) write(socket, stdin, content)
    } else if (to === channel.close) {
      if (about === channel.stdin) stdin?.end()
    } else if (to === channel.resize) resize(process, content)
  })
}

function write(socket: WebSocket, stdin: NonNullable<ContainerProcess['stdin']>, content: Buffer): void {
  if (stdin.write(content)) return
  socket.pause()
  const goOn = (): void => {
    stdin.off('drain', goOn)
    stdin.off('close', goOn)
    socket.resume()
  }
  stdin.on('drain', goOn)
  stdin.on('close', goOn)
}

function resize(process: ContainerProcess, content: Buffer): void {
  const size = parseSize(content.toString('utf8'))
  // The next one comes with the next change of the window.
  if (size !== undefined) void process.resize(size.columns, size.rows).catch(() => undefined)
}

/** A window size as clients send it, `{"Width":80,"Height":24}`; undefined for anything else. */
export function parseSize(text: string): { columns: number; rows: number } | undefined {
  try {
    const { Width: columns, Height: rows } = (JSON.parse(text) ?? {}) as { Width?: unknown; Height?: unknown }
    const isSize = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) < 65_536
    return isSize(columns) && isSize(rows) ? { columns, rows } : undefined
  } catch {
    return undefined
  }
}

/** Resolves when all of it has been handed to the client. */
function forward(socket: WebSocket, to: number, output: Readable | undefined): Promise<void> {
  if (output === undefined) return Promise.resolve()
  return new Promise((resolve) => {
    output.on('data', (chunk: Buffer) => {
      if (socket.bufferedAmount > mostWaiting) output.pause()
      send(socket, to, chunk, () => output.resume())
    })
    // One that had nothing may be over already. A pipe that breaks is at its end; the exit status says the rest.
    finished(output, { writable: false }, () => resolve())
  })
}

function send(socket: WebSocket, to: number, content: Uint8Array, sent: () => void = () => undefined): void {
  if (socket.readyState === socket.OPEN)
    socket.send(Buffer.concat([Buffer.from([to]), content]), { binary: true }, sent)
  else sent()
}

/** What the error channel says at the end (apimachinery, pkg/util/remotecommand, v4 and later). */
export function exitStatus(code: number): Status {
  if (code === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: error executing command, exit code ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  }
}

function startFailure(error: unknown): Status {
  const text = error instanceof RuntimeError ? runtimeMessage(error) : String(error)
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: error executing command in container: ${text}`,
    reason: 'InternalError',
    details: { causes: [{ message: `error executing command in container: ${text}` }] },
    code: 500,
  }
}
