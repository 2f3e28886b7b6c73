import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { FleetCommand, FleetCount, FleetSettings } from './fleet-child.ts'
import { answerOf, startChild } from './managed.ts'

/** The simulated agents of all nodes. */
export class Fleet {
  readonly #child: ChildProcess
  readonly #log: string

  private constructor(child: ChildProcess, log: string) {
    this.#child = child
    this.#log = log
  }

  static async start(settings: FleetSettings, log: string): Promise<Fleet> {
    const child = startChild('fleet-child.ts', settings, log)
    await answerOf(child, log)
    return new Fleet(child, log)
  }

  /** Tells the agents to report everything to the manager at this address, spread over `spread` milliseconds. */
  meet(url: string, { single = false, spread = 0 }: { single?: boolean; spread?: number } = {}): void {
    this.#send({ type: 'manager', url, single, spread })
  }

  async count(): Promise<FleetCount> {
    const answer = answerOf<FleetCount>(this.#child, this.#log)
    this.#send({ type: 'count' })
    return answer
  }

  /** Resolves when no agent has anything to report. */
  idle(limit: number): Promise<FleetCount> {
    return this.#until(({ idle, agents }) => idle === agents, limit)
  }

  /** Resolves when managers have accepted this many profile statuses since the fleet started. */
  reported(profiles: number, limit: number): Promise<FleetCount> {
    return this.#until((count) => count.profiles >= profiles, limit)
  }

  async #until(holds: (count: FleetCount) => boolean, limit: number): Promise<FleetCount> {
    const end = performance.now() + limit
    for (;;) {
      const count = await this.count()
      if (holds(count)) return count
      if (performance.now() > end)
        throw new Error(`the agents did not finish within ${limit} ms; their counts: ${JSON.stringify(count)}`)
      await pause(50)
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#send({ type: 'stop' })
    await ended
  }

  #send(command: FleetCommand): void {
    this.#child.send(command)
  }
}
