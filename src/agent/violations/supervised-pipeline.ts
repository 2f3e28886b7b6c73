import type { NoSource } from '../../audit/source/choose-source.ts'
import { Backoff } from '../../base/backoff.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'
import type { ViolationPipeline } from './violation-pipeline.ts'

export interface KeptPipelineOptions {
  /** Starts a pipeline. If no source can be used, logs the reason and returns it. */
  start(): Promise<ViolationPipeline | NoSource>
  clock: Clock
  random: Random
  logger: Logger
}

/** Delays in milliseconds. */
const backoff = { first: 1_000, max: 300_000 }

/**
 * Keeps a pipeline running. It retries if no source can be used, or if the pipeline fails. Enforcement does not depend
 * on it.
 */
export class SupervisedPipeline {
  readonly #options: KeptPipelineOptions
  readonly #stop = new AbortController()
  readonly #backoff: Backoff
  #pipeline: ViolationPipeline | undefined
  #none: NoSource | undefined
  #restarts = 0
  #running: Promise<void> | undefined

  constructor(options: KeptPipelineOptions) {
    this.#options = options
    this.#backoff = new Backoff({ ...backoff, random: options.random })
  }

  /** Counters of the pipeline; undefined while no pipeline runs. */
  get status(): object | undefined {
    return this.#pipeline?.status()
  }

  /** Why violations are not reported; undefined while they are reported, or before this is known. */
  get none(): NoSource | undefined {
    return this.#none
  }

  /** Number of times that the pipeline was restarted. */
  get restarts(): number {
    return this.#restarts
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when all records that were read are written. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('The pipeline was stopped'))
    this.#pipeline?.stop()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#runOnce().catch((error: unknown) => {
        this.#none = { why: `violations are not reported: ${error}`, remedy: 'see the log of the agent' }
        logger.error({ err: error }, 'violations are not reported')
      })
      if (signal.aborted) return
      const delay = this.#backoff.next()
      logger.warn({ retryMs: delay }, 'violations are not reported; retrying')
      await sleep(clock, delay, signal).catch(() => undefined)
      this.#restarts++
    }
  }

  async #runOnce(): Promise<void> {
    const { start, clock, logger } = this.#options
    const pipeline = await start()
    this.#none = 'why' in pipeline ? pipeline : pipeline.none
    if ('why' in pipeline) return
    const startedAt = clock.now()
    this.#pipeline = pipeline
    if (this.#stop.signal.aborted) pipeline.stop()
    else logger.info({ source: pipeline.source }, 'violations are followed')
    await pipeline.ended.finally(() => {
      this.#pipeline = undefined
      if (clock.now() - startedAt > backoff.max) this.#backoff.reset()
    })
  }
}
