import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, constants, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished, type Readable, type Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { AnyValue, GrpcClient } from '../../agent/containers/grpc-client.ts'
import { RuntimeError } from '../../agent/containers/runtime.ts'

export interface ProcessRequest {
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly stdout: boolean
  /** Not with a terminal, whose output is one. */
  readonly stderr: boolean
  readonly tty: boolean
}

/** A process that was started beside the first one of a container. */
export interface ContainerProcess {
  /** Undefined where none was asked for. To end it is what the process sees as the end of its input. */
  readonly stdin: Writable | undefined
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
  /** Its exit status: 128 and the signal for one that was killed. */
  readonly exit: Promise<number>
  resize(columns: number, rows: number): Promise<void>
  kill(): Promise<void>
}

const tasks = 'containerd.services.tasks.v1.Tasks'
const containers = 'containerd.services.containers.v1.Containers'
const processType = 'types.containerd.io/opencontainers/runtime-spec/1/Process'
const SIGKILL = 9
const run = promisify(execFile)

/** The part of an OCI runtime spec (config.md) that a further process begins from. */
interface OciProcess {
  args: readonly string[]
  env?: readonly string[]
  terminal?: boolean
  consoleSize?: unknown
}

/**
 * Starts a process in a container through containerd's own tasks, as its CRI part does it for `Exec`: under the same user,
 * capabilities and profiles as the first process. CRI itself would give a URL for SPDY, in which the end of the input
 * and the window size have to be carried once more.
 * @throws {RuntimeError} NOT_FOUND for a container that does not run, UNKNOWN for a command that cannot be started
 */
export async function startProcess(
  client: GrpcClient,
  containerId: string,
  request: ProcessRequest,
): Promise<ContainerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'varmor-exec-'))
  const process = new RunningProcess(client, containerId, folder)
  try {
    await process.start(request)
    return process
  } catch (error) {
    await process.discard()
    throw error
  }
}

class RunningProcess implements ContainerProcess {
  stdin: Writable | undefined
  stdout: Readable | undefined
  stderr: Readable | undefined
  exit: Promise<number> = Promise.resolve(0)
  readonly #client: GrpcClient
  readonly #folder: string
  readonly #ids: { containerId: string; execId: string }

  constructor(client: GrpcClient, containerId: string, folder: string) {
    this.#client = client
    this.#folder = folder
    this.#ids = { containerId, execId: randomUUID() }
  }

  async start(request: ProcessRequest): Promise<void> {
    const names = (['stdin', 'stdout', 'stderr'] as const).filter(
      (name) => request[name] && !(name === 'stderr' && request.tty),
    )
    const paths = Object.fromEntries(names.map((name) => [name, join(this.#folder, name)]))
    if (names.length > 0) await run('mkfifo', ['-m', '600', ...Object.values(paths)])
    const spec = await this.#spec(request)
    await this.#call('Exec', { ...paths, terminal: request.tty, spec })
    if (paths['stdout'] !== undefined) this.stdout = reader(paths['stdout'])
    if (paths['stderr'] !== undefined) this.stderr = reader(paths['stderr'])
    const input = paths['stdin'] === undefined ? undefined : writer(paths['stdin'])
    this.stdin = input
    // Before the start, so that the shortest life is not missed.
    const exited = this.#call<{ exitStatus: number }>('Wait', {}, Number.POSITIVE_INFINITY)
    exited.catch(() => undefined)
    await this.#call('Start', {})
    if (input !== undefined) finished(input, { readable: false }, () => void this.#closeInput())
    this.exit = exited.then(async ({ exitStatus }) => {
      await this.#tidy()
      return exitStatus
    })
    this.exit.catch(() => undefined)
  }

  async resize(columns: number, rows: number): Promise<void> {
    await unlessOver(this.#call('ResizePty', { width: columns, height: rows }))
  }

  async kill(): Promise<void> {
    await unlessOver(this.#call('Kill', { signal: SIGKILL }))
  }

  /** After a start that failed. */
  async discard(): Promise<void> {
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream?.destroy()
    await unlessOver(this.#call('DeleteProcess', {})).catch(() => undefined)
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** The runtime holds the pipe open too, until it is told. What was written before is still read. */
  async #closeInput(): Promise<void> {
    // A process that has ended meanwhile has no input left to be closed.
    await unlessOver(this.#call('CloseIO', { stdin: true })).catch(() => undefined)
  }

  /** The runtime then lets go of the pipes, which ends our side of them when they have been read. */
  async #tidy(): Promise<void> {
    await unlessOver(this.#call('DeleteProcess', {}))
    this.stdin?.destroy()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #spec({ command, tty }: ProcessRequest): Promise<AnyValue> {
    const { containerId: id } = this.#ids
    const { container } = await this.#client.call<{ container: { spec: AnyValue | null } | null }>(containers, 'Get', {
      id,
    })
    const text = container?.spec?.value.toString('utf8') ?? '{}'
    const { process } = JSON.parse(text) as { process?: OciProcess }
    if (process === undefined) throw new RuntimeError('NOT_FOUND', `container ${id} has no process`)
    const { consoleSize: _, env = [], ...own } = process
    const terminalType = tty && !env.some((one) => one.startsWith('TERM=')) ? ['TERM=xterm'] : []
    const spec = { ...own, env: [...env, ...terminalType], args: command, terminal: tty }
    return { type_url: processType, value: Buffer.from(JSON.stringify(spec)) }
  }

  #call<Answer>(name: string, request: object, deadline = 30_000): Promise<Answer> {
    return this.#client.call(tasks, name, { ...this.#ids, ...request }, { deadline })
  }
}

/** Opened without waiting for the other side, which the runtime opens at the start. */
function reader(path: string): Readable {
  return new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false })
}

/** For both directions, as nobody reads yet: a pipe that is opened for writing alone needs a reader. */
function writer(path: string): Writable {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  try {
    return new Socket({ fd, readable: false, writable: true })
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

async function unlessOver(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    const isOver = error instanceof RuntimeError && ['NOT_FOUND', 'FAILED_PRECONDITION'].includes(error.code)
    if (!isOver) throw error
  }
}
