import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { TokenBucket } from '../../src/base/token-bucket.ts'
import type { Outcome } from './compiler-pool.ts'
import type { CompilerJobs } from './jobs.ts'
import { plainJobs } from './plain.ts'
import type { Compilers, JobOptions } from './ports.ts'

/** Milliseconds of work that may come together, and after how many milliseconds there is another one: a quarter of the thread. */
const BURST = 250
const REFILL = 4

type Jobs = {
  [Name in keyof CompilerJobs]: (...input: Parameters<CompilerJobs[Name]>) => ReturnType<CompilerJobs[Name]>
}

export interface PlainAtOnceOptions {
  /** Does all other jobs. */
  others: Compilers
  /** Loads what does the jobs. It is asked once, for the first job. */
  jobs(): Promise<Jobs>
  clock: Clock
  logger: Pick<Logger, 'error'>
  observe?: (outcome: Outcome) => void
}

/**
 * Does the jobs of plain policies on the thread that asks, with input and output that are not cloned: to send them to another thread and
 * back takes longer. These need no thread to be started, nor wait behind others' policies. It takes no more than a quarter of the thread,
 * whoever asks and however slow the machine is: what would be more waits for the other compilers.
 */
export class PlainAtOnce implements Compilers {
  readonly #options: PlainAtOnceOptions
  readonly #allowance: TokenBucket
  #jobs: Promise<Jobs | undefined> | undefined

  constructor(options: PlainAtOnceOptions) {
    this.#options = options
    this.#allowance = new TokenBucket(BURST, REFILL, options.clock.now())
  }

  async run<Name extends keyof CompilerJobs>(
    name: Name,
    input: Parameters<CompilerJobs[Name]>,
    options: JobOptions,
  ): Promise<ReturnType<CompilerJobs[Name]>> {
    const { others, clock, observe } = this.#options
    if (plainJobs[name]?.(...input) !== true) return others.run(name, input, options)
    this.#jobs ??= this.#load()
    const jobs = await this.#jobs
    const start = clock.now()
    if (jobs === undefined || !this.#allowance.take(start)) return others.run(name, input, options)
    let outcome: Outcome = 'failed'
    try {
      const output = jobs[name](...input)
      outcome = 'done'
      return output
    } finally {
      this.#allowance.owe(clock.now() - start - 1)
      observe?.(outcome)
    }
  }

  async #load(): Promise<Jobs | undefined> {
    try {
      return await this.#options.jobs()
    } catch (err) {
      this.#options.logger.error(
        { err },
        'plain policies are compiled by threads, as what compiles them cannot be loaded',
      )
      return undefined
    }
  }
}
