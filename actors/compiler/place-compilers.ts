import { extname } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { ActorSystem } from '../runtime/index.ts'
import { CompilerPool, type PoolOptions } from './compiler-pool.ts'
import { compilerDefaults } from './defaults.ts'
import type { compilerJobs } from './jobs.ts'
import { PlacedCompiler } from './placed-compiler.ts'
import { PlainAtOnce } from './plain-at-once.ts'
import type { Compilers } from './ports.ts'

export interface CompilersOptions
  extends Partial<Pick<PoolOptions, 'threads' | 'deadline' | 'longestWait' | 'observe'>> {
  logger: Logger
  /** What furnishes a thread; `thread.ts` unless given. */
  module?: URL
  /** Plain policies are compiled on the thread that asks, unless it is by another `module`. */
  plainAtOnce?: boolean
}

/** Compilers on threads of this process. */
export interface PlacedCompilers extends Compilers {
  /** Jobs that wait. */
  readonly waiting: number
  /** Starts a thread before a job asks for one. Resolves when it is there. */
  start(): Promise<void>
  /** Resolves when all threads have ended; jobs in hand are given up. */
  stop(): Promise<void>
}

/** Where the sources run this is one of them; else what they were compiled to. */
const moduleOf = (name: string): URL => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
const ownModule = moduleOf('thread')

/** Loaded where it is needed: most of what a process has is less than this. */
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
      ? new PlainAtOnce({ ...options, others: pool, jobs: loadJobs, clock: systemClock })
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
