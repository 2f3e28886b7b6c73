import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { defaultReportTiming, firstInterval } from '../../src/agent/cluster/reporter.ts'
import { REPORT_PATH, type ReportAnswer } from '../../src/api/agent-report.ts'
import { backoff } from '../../src/base/backoff.ts'
import type { Standings } from './standings.ts'

export interface Shared {
  standings: Standings
  manager: string
  ca: string
  /** Tells whether each report contains only one profile. */
  single: boolean
  answers: Record<number, number>
  profiles: number
}

const { coalesceLeast, coalesceMost, backoffFirst, backoffLongest } = defaultReportTiming

/** Reports for one node by the rules of the agent's Reporter, but without its memory for each profile. */
export class LightAgent {
  readonly #node: string
  readonly #token: string
  readonly #shared: Shared
  readonly #agent: Agent
  #lastSent = 0
  #epoch = ''
  #complete = true
  #failures = 0
  #interval = firstInterval
  #spacing = 0
  #answeredAt = Number.NEGATIVE_INFINITY
  #wake: (() => void) | undefined
  #spread: number | undefined

  constructor(node: string, token: string, shared: Shared) {
    this.#node = node
    this.#token = token
    this.#shared = shared
    this.#agent = new Agent({ connections: 1, connect: { ca: shared.ca, timeout: 20_000 } })
  }

  get isIdle(): boolean {
    return !this.#complete && this.#lastSent === this.#shared.standings.serial && this.#spread === undefined
  }

  /** Tells the agent that profiles may have changed. */
  wake(): void {
    this.#wake?.()
  }

  /** Tells the agent that the manager changed: it reports everything within `spread` milliseconds. */
  meet(spread: number): void {
    this.#spread = spread
    this.#lastSent = 0
    this.#wake?.()
  }

  start(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    await pause(coalesceMost * Math.random())
    for (;;) {
      const spread = this.#spread
      this.#spread = undefined
      if (spread !== undefined) await pause(spread * Math.random())
      const wait = await this.#report()
      if (wait > 0) await this.#rest(wait)
    }
  }

  /** @returns milliseconds until the next report, unless something changes */
  async #report(): Promise<number> {
    const { standings, single } = this.#shared
    const complete = this.#complete && !single
    const { texts, upTo } = complete ? standings.complete() : standings.since(this.#lastSent, single ? 1 : 5_000)
    const head = JSON.stringify({ node: this.#node, agent: 'bench', epoch: this.#epoch, complete })
    const status = await this.#post(`${head.slice(0, -1)},"profiles":[${texts.join(',')}]}`)
    if (status !== 200) {
      await pause(backoff(this.#failures++, { first: backoffFirst, max: backoffLongest }, Math.random))
      return 0
    }
    this.#failures = 0
    this.#shared.profiles += texts.length
    this.#lastSent = Math.max(this.#lastSent, upTo)
    if (single && this.#lastSent < standings.serial) return 0
    if (this.#complete && !complete && !single) return coalesceLeast
    return this.#interval * (0.7 + 0.3 * Math.random())
  }

  async #rest(max: number): Promise<void> {
    if (this.#lastSent === this.#shared.standings.serial && this.#spread === undefined)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, max)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    this.#wake = undefined
    if (this.#lastSent < this.#shared.standings.serial) {
      const left = this.#answeredAt + this.#spacing * (0.8 + 0.4 * Math.random()) - performance.now()
      await pause(Math.max(left, coalesceLeast + (coalesceMost - coalesceLeast) * Math.random()))
    }
  }

  async #post(body: string): Promise<number> {
    const { answers, manager } = this.#shared
    let status = 0
    try {
      const answer = await request(new URL(REPORT_PATH, manager), {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        body,
        dispatcher: this.#agent,
      })
      status = answer.statusCode
      const text = await answer.body.text()
      if (status === 200) this.#answered(JSON.parse(text) as ReportAnswer)
    } catch (error) {
      if (!(error instanceof Error)) throw error
    }
    answers[status] = (answers[status] ?? 0) + 1
    return status
  }

  #answered({ epoch, complete, intervalSeconds, spacingSeconds = 0 }: ReportAnswer): void {
    this.#spacing = spacingSeconds * 1000
    this.#answeredAt = performance.now()
    this.#epoch = epoch
    this.#complete = complete
    this.#interval = intervalSeconds * 1000
  }
}
