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
  /** In the environment of the process and of all that it starts, by which a sweep finds them. */
  env: Record<string, string>
  /** Whether it serves now. An error is a no. */
  serves: () => Promise<boolean>
}

const graceful = 5_000

/** A few variables only: etcd takes each `ETCD_*` for a flag, and a proxy of the host is not for loopback. */
const environment = (): NodeJS.ProcessEnv => ({
  PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
  HOME: process.env['HOME'] ?? '/',
})

/** A server that a cluster is made of: in a process group of its own, with its output in a file. */
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

  /** Starts the program; `ready` says when it serves. @throws if it cannot be started at all, or runs already */
  async start(): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs already`)
    const log = openSync(this.log, 'a')
    try {
      // The kernel ends it with the process that started it, however that ends.
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
   * Waits until it serves.
   * @throws with the end of its log, if it has ended or takes more than `limit` milliseconds
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

  /** Kills it if it runs, starts it again, and waits until it serves. */
  async restart(): Promise<void> {
    await this.kill()
    await this.start()
    await this.ready()
  }

  /** The last lines of its output. */
  tail(lines = 20): string {
    return readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** Ends it, at once by default as a crash does, and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return
    const gone = once(this.#child!, 'exit')
    this.#signal(signal)
    await gone
  }

  /** Asks it to end; ends it if it does not. */
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

  /** Stops its clock: it keeps its connections and answers nothing. Resolves when each of its threads has stopped. */
  async pause(): Promise<void> {
    this.#signal('SIGSTOP')
    this.#paused = true
    const tasks = `/proc/${this.pid}/task`
    // Format: proc(5), stat; the name before the state is in brackets.
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
