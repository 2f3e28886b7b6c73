import { extname } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { ActorSystem } from '../runtime/index.ts'
import { CompilerPool, type PoolOptions } from './compiler-pool.ts'
import { compilerDefaults } from './defaults.ts'
import { PlacedCompiler } from './placed-compiler.ts'
import type { Compilers } from './ports.ts'

export interface CompilersOptions
  extends Partial<Pick<PoolOptions, 'threads' | 'deadline' | 'longestWait' | 'observe'>> {
  logger: Logger
  /** What furnishes a thread; `thread.ts` unless given. */
  module?: URL
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
const ownModule = new URL(`./thread${extname(import.meta.url)}`, import.meta.url)

export function placeCompilers({ module = ownModule, ...options }: CompilersOptions): PlacedCompilers {
  const system = new ActorSystem({ logger: options.logger })
  const pool = new CompilerPool({
    ...compilerDefaults,
    ...options,
    clock: systemClock,
    thread: (number) => new PlacedCompiler(system, `compiler-${number}`, module),
  })
  return {
    run: (job, input, asked) => pool.run(job, input, asked),
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
