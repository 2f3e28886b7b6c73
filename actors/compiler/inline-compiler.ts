import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { TokenBucket } from '../../src/base/token-bucket.ts'
import type { Outcome } from './compiler-pool.ts'
import type { CompilerJobs } from './jobs.ts'
import { plainJobs } from './plain.ts'
import type { Compilers, JobOptions } from './ports.ts'

/**
 * Maximum milliseconds of work in a burst, and milliseconds until one millisecond is available again: a quarter of the
 * thread.
 */
const BURST = 250
const REFILL = 4

type Jobs = {
  [Name in keyof CompilerJobs]: (...input: Parameters<CompilerJobs[Name]>) => ReturnType<CompilerJobs[Name]>
}

export interface PlainAtOnceOptions {
  /** Runs all jobs that do not run on the calling thread. */
  others: Compilers
  /** Loads the job functions. Called once, for the first job. */
  jobs(): Promise<Jobs>
  clock: Clock
  logger: Pick<Logger, 'error'>
  observe?: (outcome: Outcome) => void
}

/**
 * Runs the jobs of plain policies on the calling thread: cloning a policy for another thread takes longer, and the job
 * need not wait behind other tenants' policies. Uses at most a quarter of the thread; compilers on worker threads run
 * the other jobs.
 */
export class InlineCompiler implements Compilers {
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
        'cannot load the compiler into the main thread; worker threads compile all policies',
      )
      return undefined
    }
  }
}
