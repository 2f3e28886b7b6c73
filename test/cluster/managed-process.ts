import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from './wait.ts'

export interface ProcessOptions {
  /** Names the process and its log. */
  name: string
  command: readonly string[]
  /** Folder of the log. */
  logs: string
  /** Variables of the process and its children, by which a sweep finds them. */
  env: Record<string, string>
  /** Tells whether the process serves requests now. An error counts as no. */
  serves: () => Promise<boolean>
}

const graceful = 5_000

/**
 * Passes only a few variables: etcd reads each `ETCD_*` as a flag, and a proxy of the host must not apply to loopback.
 */
const environment = (): NodeJS.ProcessEnv => ({
  PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
  HOME: process.env['HOME'] ?? '/',
})

/** A server of a cluster, in its own process group, with its output in a file. */
export class ManagedProcess {
  readonly name: string
  readonly log: string
  #options: ProcessOptions
  #child: ChildProcess | undefined
  #paused = false

  constructor(options: ProcessOptions) {
    this.#options = options
    this.name = options.name
    this.log = join(options.logs, `${options.name}.log`)
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /**
   * Starts the program; the returned promise resolves when it serves requests.
   * @throws if the program cannot start, or runs already
   */
  async start(): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs already`)
    const log = openSync(this.log, 'a')
    try {
      // The kernel kills the server when the process that started it ends for any reason.
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...this.#options.command], {
        detached: true,
        stdio: ['ignore', log, log],
        env: { ...environment(), ...this.#options.env },
      })
      await once(child, 'spawn')
      this.#child = child
      this.#paused = false
    } finally {
      closeSync(log)
    }
  }

  /**
   * Waits until the server serves requests.
   * @throws with the last lines of its log, if it ended or took more than `limit` milliseconds
   */
  async ready(limit = 120_000): Promise<void> {
    const state = await eventually(
      `${this.name} to serve`,
      async () => (this.running ? (await this.#options.serves()) && 'serves' : 'ended'),
      limit,
      25,
    ).catch((error: Error) => {
      throw new Error(`${error.message}. The end of its log:\n${this.tail()}`, { cause: error })
    })
    if (state === 'serves') return
    const how = this.#child?.signalCode ?? `exit status ${this.#child?.exitCode}`
    throw new Error(`${this.name} has ended (${how}). The end of its log:\n${this.tail()}`)
  }

  /** Kills the server if it runs, starts it again, and waits until it serves requests. */
  async restart(): Promise<void> {
    await this.kill()
    await this.start()
    await this.ready()
  }

  /** The last lines of its output. */
  tail(lines = 20): string {
    return readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** Sends a signal, by default SIGKILL as in a crash, and waits until the process has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return
    const gone = once(this.#child!, 'exit')
    this.#signal(signal)
    await gone
  }

  /** Asks the process to end, and kills it if it does not end in time. */
  async stop(): Promise<void> {
    if (this.#paused) this.resume()
    const ended = this.kill('SIGTERM')
    const late = new AbortController()
    const timeout = pause(graceful, undefined, { signal: late.signal }).then(
      () => this.#signal('SIGKILL'),
      () => undefined,
    )
    await ended
    late.abort()
    await timeout
  }

  /** Pauses the process: it keeps its connections and does not answer. Resolves when all its threads have stopped. */
  async pause(): Promise<void> {
    this.#signal('SIGSTOP')
    this.#paused = true
    const tasks = `/proc/${this.pid}/task`
    // Format: stat in proc(5); the name before the state is in parentheses.
    const isStopped = (task: string): boolean => readFileSync(`${tasks}/${task}/stat`, 'utf8').includes(') T ')
    await eventually(`${this.name} to stop`, async () => readdirSync(tasks).every(isStopped), undefined, 5)
  }

  resume(): void {
    this.#signal('SIGCONT')
    this.#paused = false
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(-this.#child!.pid!, signal)
  }
}
