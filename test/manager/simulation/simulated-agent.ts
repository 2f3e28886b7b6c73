import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import { Reporter, type Reply as ReportReply, type SendReport } from '../../../src/agent/cluster/reporter.ts'
import type { AgentReport, ReportAnswer } from '../../../src/api/agent-report.ts'
import { type Clock, sleep } from '../../../src/base/clock.ts'
import { noLogger } from '../../../src/base/logger.ts'
import type { Random } from '../../../src/base/random.ts'
import { linkedController, untilAborted } from '../../../src/kube/abort.ts'
import type { SimulatedManager } from './simulated-manager.ts'

/** The environment of an agent. */
export interface AgentPlace {
  clock: Clock
  random: Random
  /** The manager that a connection reaches. */
  manager(): SimulatedManager | undefined
  /** Called when a manager accepts a report. */
  taken(report: AgentReport): void
}

/**
 * Milliseconds: the maximum time that a node takes to load a profile, the maximum latency of a message, and the timeout
 * of a report.
 */
const LOADING = 500
const NETWORK = 5
const DEADLINE = 20_000

/**
 * The agent of a node: it loads each profile that it sees after a delay, and reports it with the real reporter. The
 * load is simulated.
 */
export class SimulatedAgent {
  /** None of its reports arrive. */
  silent = false
  readonly #place: AgentPlace
  readonly #token: string
  readonly #reporter: Reporter
  #seen: ProfileStatus[] = []

  constructor(node: string, token: string, place: AgentPlace) {
    this.#place = place
    this.#token = token
    const { clock, random } = place
    this.#reporter = new Reporter({
      ...{ node, clock, random },
      agent: 'simulated',
      managers: ['https://varmor-status-svc.varmor:8080'],
      send: this.#send,
      whole: () => true,
      logger: noLogger,
    })
  }

  start(): void {
    this.#reporter.start()
  }

  stop(): Promise<void> {
    return this.#reporter.stop()
  }

  /** Tells the agent that an ArmorProfile must be loaded or removed. */
  see(standing: ProfileStatus): void {
    if (this.#seen.push(standing) > 1) return
    const { clock, random } = this.#place
    clock.after(random() * LOADING, () => {
      for (const one of this.#seen.splice(0)) this.#reporter.set(one)
    })
  }

  forget(key: string): void {
    this.#seen = this.#seen.filter((standing) => standing.key !== key)
    this.#reporter.forget(key)
  }

  readonly #send: SendReport = async (_, report, stopped) => {
    const { clock } = this.#place
    const { controller, release } = linkedController(stopped)
    const late = clock.after(DEADLINE, () => controller.abort(new Error('no answer')))
    try {
      return await untilAborted(this.#deliver(report, controller.signal), controller.signal)
    } catch (error) {
      return { kind: 'unreachable', message: String(error) }
    } finally {
      late.cancel()
      release()
    }
  }

  async #deliver(report: AgentReport, signal: AbortSignal): Promise<ReportReply> {
    await this.#travel(signal)
    const manager = this.#place.manager()
    if (this.silent || manager === undefined) throw new Error('no manager is there')
    const { status, body, headers } = await manager.report(this.#token, Buffer.from(JSON.stringify(report)))
    if (status === 200) this.#place.taken(report)
    await this.#travel(signal)
    if (status === 200) return { kind: 'answer', answer: JSON.parse(String(body)) as ReportAnswer }
    const retryAfter = Number(headers?.['retry-after'] ?? 0)
    return { kind: 'refused', status, message: String(body), retryAfter }
  }

  #travel(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#place
    return sleep(clock, random() * NETWORK, signal)
  }
}
