import { extname } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { ActorSystem } from '../runtime/index.ts'
import { CompilerPool, type PoolOptions } from './compiler-pool.ts'
import { compilerDefaults } from './defaults.ts'
import { InlineCompiler } from './inline-compiler.ts'
import type { compilerJobs } from './jobs.ts'
import { PlacedCompiler } from './placed-compiler.ts'
import type { Compilers } from './ports.ts'

export interface CompilersOptions extends Partial<Pick<PoolOptions, 'threads' | 'deadline' | 'maxWait' | 'observe'>> {
  logger: Logger
  /** The module that worker threads run. Default: `thread.ts`. */
  module?: URL
  /** Whether the calling thread compiles plain policies. A different `module` turns this off. */
  plainAtOnce?: boolean
}

/** Compilers on worker threads of this process. */
export interface PlacedCompilers extends Compilers {
  /** Number of jobs that wait for a thread. */
  readonly waiting: number
  /** Starts a thread before the first job. Resolves when the thread runs. */
  start(): Promise<void>
  /** Gives up running jobs. Resolves when all threads have ended. */
  stop(): Promise<void>
}

/** The URL of the source file if this process runs from sources, otherwise of the compiled file. */
const moduleOf = (name: string): URL => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
const ownModule = moduleOf('thread')

/** Imports the compilers on demand, because they are most of the code of a process. */
async function loadJobs(): Promise<typeof compilerJobs> {
  const module: { compilerJobs: typeof compilerJobs } = await import(moduleOf('jobs').href)
  return module.compilerJobs
}

export function placeCompilers({
  module = ownModule,
  plainAtOnce = false,
  ...options
}: CompilersOptions): PlacedCompilers {
  const system = new ActorSystem({ logger: options.logger })
  const pool = new CompilerPool({
    ...compilerDefaults,
    ...options,
    clock: systemClock,
    thread: (number) => new PlacedCompiler(system, `compiler-${number}`, module),
  })
  const compilers: Compilers =
    plainAtOnce && module === ownModule
      ? new InlineCompiler({ ...options, others: pool, jobs: loadJobs, clock: systemClock })
      : pool
  return {
    run: (job, input, asked) => compilers.run(job, input, asked),
    start: () => pool.start(),
    stop: async () => {
      pool.stop()
      await system.stop({ within: 0 })
    },
    get waiting() {
      return pool.waiting
    },
  }
}
