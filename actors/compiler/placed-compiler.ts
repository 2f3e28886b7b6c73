import { systemClock } from '../../src/base/clock.ts'
import { cpuTimeOf } from '../../src/base/own-thread.ts'
import type { CompilerMessage } from '../compiler.ts'
import { type ActorSystem, AskError, type Reference, type Thread } from '../runtime/index.ts'

/** One thread that does one job at a time. */
export interface CompilerThread {
  /** Resolves when it takes a job, with the milliseconds of CPU that its start took; 0 where that cannot be seen. */
  ready(): Promise<number>
  /** Milliseconds that it has worked, of its CPU time: a machine that has other things to do makes no job a costly one. */
  worked(): number
  /** @throws what the job throws; a THREAD_DIED of `AskError` when the thread dies over it */
  run(job: string, input: readonly unknown[]): Promise<unknown>
  /** Ends it, whatever it does; it is started anew. */
  kill(): Promise<void>
  /** Ends it for good; it has no job. */
  end(): Promise<void>
}

/** Milliseconds, and none of its business: whoever asks has a limit. */
const PATIENCE = 3_600_000
/** MiB. A policy is 1.5 at the most, and no compilation was seen to take 100. */
const HEAP = 256
/**
 * MiB, three times what V8 calls a semi-space: what a compilation makes is dead after it, and there are two threads. Where the process was
 * started with an option of Node.js for semi-spaces, as by the chart, that counts instead.
 */
const NEW_OBJECTS = 6

/** A compiler actor on a worker thread of its own, which `module` furnishes. */
export class PlacedCompiler implements CompilerThread {
  readonly #system: ActorSystem
  readonly #thread: Thread
  readonly #actor: Reference<CompilerMessage>
  #id: number | undefined
  /** What was seen of it last: of a thread that is dead nothing is. */
  #worked = 0

  constructor(system: ActorSystem, family: string, module: URL) {
    const restart = { firstBackoff: 10, longestBackoff: 2_000, healthyAfter: 1_000 }
    this.#system = system
    this.#thread = system.thread(family, {
      module,
      families: [family],
      data: { family },
      heap: HEAP,
      newObjects: NEW_OBJECTS,
      restart,
    })
    this.#actor = this.#thread.family<CompilerMessage>(family).of('1')
  }

  async ready(): Promise<number> {
    for (;;)
      try {
        const { thread } = await this.#actor.ask({ type: 'ready' }, { timeout: PATIENCE })
        const start = cpuTimeOf(thread)
        this.#id = start === undefined ? undefined : thread
        this.#worked = 0
        return start ?? 0
      } catch (error) {
        // It died as it started, and is started again, later and later.
        if (!(error instanceof AskError && error.code === 'THREAD_DIED')) throw error
      }
  }

  worked(): number {
    if (this.#id === undefined) return systemClock.now()
    this.#worked = cpuTimeOf(this.#id) ?? this.#worked
    return this.#worked
  }

  async run(job: string, input: readonly unknown[]): Promise<unknown> {
    try {
      return await this.#actor.ask({ type: 'run', job, input }, { timeout: PATIENCE })
    } catch (error) {
      if (error instanceof AskError && error.code === 'FAILED') throw error.cause
      throw error
    }
  }

  kill(): Promise<void> {
    return this.#thread.kill()
  }

  end(): Promise<void> {
    return this.#system.endThread(this.#thread)
  }
}
