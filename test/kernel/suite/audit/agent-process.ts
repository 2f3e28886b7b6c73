import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { Totals } from '../../../../src/audit/pipeline/accounting.ts'
import { bundledVarmor } from '../../guest/bundled-varmor.ts'
import { KeptLog } from './kept-log.ts'

/** A line of the agent's own log, which is JSON. */
export interface Said {
  msg: string
  code?: string
  remedy?: string
  [field: string]: unknown
}

/** The agent's counters, as it reports them. */
export interface Status extends Totals {
  stages: {
    source: {
      name: string
      depth: number
      received: number
      dropped: Record<string, number | null>
      behind?: boolean
    }[]
  }
}

/** The result of an ended agent: its counters, and all lines that it wrote. */
export interface Ended {
  status: Status
  lines: string[]
}

export interface AgentOptions {
  /** Folder of the agent's files. `start` empties it first, unless `after` is given. */
  folder: string
  /** The content of the agent's file of containers. */
  containers?: object
  /** Additional arguments. */
  args?: readonly string[]
  /** The agent runs in its own network namespace, where the kernel sends no records to listeners. */
  alone?: boolean
  /** A previous agent; this agent takes over its files. */
  after?: AgentProcess
}

/** `varmor agent --audit-only` as a process of this guest. */
export class AgentProcess {
  readonly said: Said[] = []
  readonly log: KeptLog
  readonly #process: ChildProcessWithoutNullStreams
  readonly #containers: string
  #ended: Promise<Ended> | undefined

  private constructor({ folder, containers = {}, args = [], alone = false, after }: AgentOptions) {
    if (after === undefined)
      for (const path of [folder, `${folder}.kept`]) rmSync(path, { recursive: true, force: true })
    this.log = new KeptLog(folder)
    this.#containers = `${folder}.json`
    this.know(containers)
    const files = ['--containers', this.#containers, '--log', join(folder, 'violations.log')]
    const command = [process.execPath, bundledVarmor, 'agent', '--audit-only', ...files, ...args]
    const [file, ...rest] = alone ? ['unshare', '-n', ...command] : command
    this.#process = spawn(file!, rest)
    createInterface({ input: this.#process.stderr }).on('line', (line) => this.said.push(read(line)))
  }

  /**
   * Resolves when the agent reads its source.
   * @throws with the agent's output if the agent ends earlier
   */
  static async start(options: AgentOptions): Promise<AgentProcess> {
    const agent = new AgentProcess(options)
    await agent.#says('the agent is running')
    return agent
  }

  /** The source that the agent reads. */
  get source(): unknown {
    return this.said.find(({ msg }) => msg === 'the agent is running')?.['source']
  }

  /** Writes the agent's file of containers, which the agent checks twice a second. */
  know(containers: object): void {
    const text = JSON.stringify(containers, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    writeFileSync(this.#containers, text)
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(signal)
  }

  /** The agent's current counters. */
  async status(): Promise<Status> {
    const before = this.said.length
    this.#process.kill('SIGUSR1')
    return (await this.#says('status', before))['status'] as Status
  }

  /** Resolves when two checks, some seconds apart, find no pending work and no new records. */
  async quiet(): Promise<void> {
    for (let before = ''; ; ) {
      const { stages, read, written, queued, deferred } = await this.status()
      const now = JSON.stringify([read, written, stages.source.map(({ received, dropped }) => [received, dropped])])
      // Records count once a worker has decoded them, which is later on a slow machine.
      const isBehind = stages.source.some(({ behind, depth }) => behind === true || depth > 0)
      if (now === before && queued === 0 && deferred === 0 && !isBehind) return
      before = now
      await pause(3_000)
    }
  }

  /**
   * Stops the agent in an orderly way, once.
   * @returns its counters, and all lines that it wrote
   */
  stop(): Promise<Ended> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  /** Stops the agent and leaves its files to another agent. */
  async leave(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const closed = once(this.#process, 'close')
    this.#process.kill(signal)
    await closed
    this.log.leave()
  }

  async #end(): Promise<Ended> {
    if (this.#process.exitCode === null) {
      const closed = once(this.#process, 'close')
      // A failed test may have left the agent stopped; SIGTERM only arrives after SIGCONT.
      for (const signal of ['SIGTERM', 'SIGCONT'] as const) this.#process.kill(signal)
      await closed
    }
    return { status: (await this.#says('the agent has stopped'))['status'] as Status, lines: this.log.end() }
  }

  async #says(msg: string, from = 0): Promise<Said> {
    for (;;) {
      const found = this.said.slice(from).find((said) => said.msg === msg)
      if (found !== undefined) return found
      if (this.#process.exitCode !== null) throw new Error(`it never said "${msg}": ${JSON.stringify(this.said)}`)
      await pause(50)
    }
  }
}

/** A line without JSON is Node.js's own message about its end. */
function read(line: string): Said {
  try {
    return JSON.parse(line) as Said
  } catch {
    return { msg: line.slice(0, 500) }
  }
}
