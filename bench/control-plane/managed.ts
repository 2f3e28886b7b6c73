import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { compiled } from './compiled.ts'
import type { ManagerReady, ManagerSettings } from './manager-child.ts'
import { type ProcessCost, processCost } from './process-cost.ts'

/** Calls to the API server by `<verb> <resource>`, without watches and the lease. */
export type Calls = Record<string, number>

const writes = new Set(['create', 'update', 'patch', 'delete'])

export const sum = (calls: Calls): number => Object.values(calls).reduce((all, count) => all + count, 0)

/** Calls that change something for users: no token reviews, and no Events. */
export const writesOf = (calls: Calls): Calls =>
  Object.fromEntries(
    Object.entries(calls).filter(
      ([call]) => writes.has(call.split(' ')[0]!) && !/tokenreviews|events/.test(call.split(' ')[1]!),
    ),
  )

export function difference(after: Calls, before: Calls): Calls {
  const entries = Object.entries(after).map(([call, count]): [string, number] => [call, count - (before[call] ?? 0)])
  return Object.fromEntries(entries.filter(([, count]) => count > 0))
}

/** Starts a script of this folder, with its output in a file. Its first message has the settings. */
export function startChild(script: string, settings: object, log: string, flags: readonly string[] = []): ChildProcess {
  const fd = openSync(log, 'a')
  const child = fork(compiled(script), {
    execArgv: [...flags],
    stdio: ['ignore', fd, fd, 'ipc'],
  })
  closeSync(fd)
  child.send(settings)
  return child
}

/**
 * Waits for the next message of a child.
 * @throws if the child ends instead
 */
export async function answerOf<T>(child: ChildProcess, log: string): Promise<T> {
  const done = new AbortController()
  const { signal } = done
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`a process of the benchmark ended with ${code}; see ${log}`)
  })
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal }), ended])) as [T]
    return message
  } finally {
    done.abort()
    ended.catch(() => undefined)
  }
}

/** A running manager, this project's or upstream's. */
export interface Measured {
  /** Milliseconds to load the manager's modules. */
  readonly started: Pick<ManagerReady, 'loaded'>
  readonly cost: ProcessCost
  calls(): Promise<Calls>
  quiet(still: number, limit: number, interval?: number): Promise<{ at: number; calls: Calls }>
  stop(): Promise<void>
}

/** This project's manager. */
export class Managed implements Measured {
  readonly #child: ChildProcess
  readonly started: ManagerReady

  private constructor(child: ChildProcess, started: ManagerReady) {
    this.#child = child
    this.started = started
  }

  /** Resolves when the manager serves requests. */
  static async start(settings: ManagerSettings, log: string, flags: readonly string[] = []): Promise<Managed> {
    const child = startChild('manager-child.ts', settings, log, flags)
    return new Managed(child, await answerOf<ManagerReady>(child, log))
  }

  get cost(): ProcessCost {
    return processCost(this.#child.pid!)
  }

  get statusUrl(): string {
    return `https://127.0.0.1:${this.started.ports.status}`
  }

  /** The samples of one metric, by the text of their labels. */
  async metric(name: string): Promise<Map<string, number>> {
    const text = await (await fetch(`http://127.0.0.1:${this.started.ports.metrics}/metrics`)).text()
    const samples = text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? ([0-9.e+]+)$`, 'gm'))
    return new Map(Array.from(samples, ([, labels = '', value]) => [labels, Number(value)]))
  }

  async calls(): Promise<Calls> {
    const calls: Calls = {}
    for (const [labels, count] of await this.metric('varmor_api_requests_total')) {
      const [, verb, resource] = /verb="([^"]*)",resource="([^"]*)"/.exec(labels)!
      if (verb === 'watch' || resource!.startsWith('leases')) continue
      const call = `${verb} ${resource}`
      calls[call] = (calls[call] ?? 0) + count
    }
    return calls
  }

  async leads(): Promise<boolean> {
    return (await this.metric('varmor_leader')).get('') === 1
  }

  /**
   * Waits until the manager leads and has made no call for `still` milliseconds. Each check costs CPU of the manager.
   * @returns the time of the last call (performance.now())
   */
  async quiet(still: number, limit: number, interval = 100): Promise<{ at: number; calls: Calls }> {
    const end = performance.now() + limit
    let [at, calls] = [performance.now(), await this.calls()]
    while (performance.now() < at + still || !(await this.leads())) {
      if (performance.now() > end) throw new Error(`the manager still called the API server after ${limit} ms`)
      await pause(interval)
      const now = await this.calls()
      if (sum(now) !== sum(calls)) [at, calls] = [performance.now(), now]
    }
    return { at, calls }
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.send('stop')
    await ended
  }

  /** Kills the manager without notice, as in a crash. */
  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
