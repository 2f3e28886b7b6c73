import type { NoSource } from '../audit/source/choose-source.ts'
import { Backoff } from '../kube/backoff.ts'
import { type Clock, type Random, sleep } from '../kube/clock.ts'
import type { Logger } from './logger.ts'
import { problemOf, type River } from './river.ts'

export interface KeptRiverOptions {
  /** Starts a river, or says why there is no source, which it has logged. */
  start(): Promise<River | NoSource>
  clock: Clock
  random: Random
  logger: Logger
}

/** Milliseconds. */
const backoff = { first: 1_000, longest: 300_000 }

/** A river that flows as long as it may: where there is no source, or it breaks, it is tried again; enforcement goes on meanwhile. */
export class KeptRiver {
  readonly #options: KeptRiverOptions
  readonly #stop = new AbortController()
  readonly #backoff: Backoff
  #river: River | undefined
  #none: NoSource | undefined
  #running: Promise<void> | undefined

  constructor(options: KeptRiverOptions) {
    this.#options = options
    this.#backoff = new Backoff({ ...backoff, random: options.random })
  }

  /** Counters; undefined while nothing flows. */
  get status(): object | undefined {
    return this.#river?.status()
  }

  /** Why nothing of what is enforced is reported; undefined where it is, and before that is known. */
  get none(): NoSource | undefined {
    return this.#none
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when what was read is written. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('The river was stopped'))
    this.#river?.stop()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#flow().catch((error: unknown) => {
        this.#none = { why: `violations cannot be followed: ${error}`, remedy: 'see the log of the agent' }
        logger.error({ error: problemOf(error) }, 'violations cannot be followed')
      })
      if (signal.aborted) return
      const delay = this.#backoff.next()
      logger.warn({ delay }, 'violations are not reported now; it is tried again')
      await sleep(clock, delay, signal).catch(() => undefined)
    }
  }

  async #flow(): Promise<void> {
    const { start, clock, logger } = this.#options
    const river = await start()
    this.#none = 'why' in river ? river : undefined
    if ('why' in river) return
    const begun = clock.now()
    this.#river = river
    if (this.#stop.signal.aborted) river.stop()
    else logger.info({ source: river.source }, 'violations are followed')
    await river.ended.finally(() => {
      this.#river = undefined
      if (clock.now() - begun > backoff.longest) this.#backoff.reset()
    })
  }
}
