import { systemClock } from '../../src/base/clock.ts'
import { cpuTimeOf } from '../../src/base/own-thread.ts'
import type { CompilerMessage } from '../compiler.ts'
import { type ActorSystem, AskError, type Reference, type Thread } from '../runtime/index.ts'

/** A thread that runs one job at a time. */
export interface CompilerThread {
  /** Resolves when the thread accepts jobs, with the CPU milliseconds of its start; 0 if the CPU time is unknown. */
  ready(): Promise<number>
  /** CPU milliseconds that the thread has used. Elapsed time would make all jobs look costly on a busy machine. */
  worked(): number
  /** @throws the job's error; an `AskError` THREAD_DIED when the thread dies during the job */
  run(job: string, input: readonly unknown[]): Promise<unknown>
  /** Ends the thread, even during a job. The thread restarts. */
  kill(): Promise<void>
  /** Ends the thread for good. The thread must not run a job. */
  end(): Promise<void>
}

/** Timeout in milliseconds. It never expires, because the caller has a shorter limit. */
const TIMEOUT = 3_600_000
/** Heap of a thread in MiB. A policy has at most 1.5 MiB, and no compilation took 100 MiB in tests. */
const HEAP = 256
/**
 * MiB for V8's young generation, which is three semi-spaces: a compilation's objects are short-lived, and there are two
 * threads. A Node.js option for semi-spaces, which the chart sets, takes precedence.
 */
const NEW_OBJECTS = 6

/** A compiler actor on its own worker thread, which runs `module`. */
export class PlacedCompiler implements CompilerThread {
  readonly #system: ActorSystem
  readonly #thread: Thread
  readonly #actor: Reference<CompilerMessage>
  #id: number | undefined
  /** The last measured CPU time, because a dead thread cannot be measured. */
  #worked = 0

  constructor(system: ActorSystem, family: string, module: URL) {
    const restart = { firstBackoff: 10, maxBackoff: 2_000, healthyAfter: 1_000 }
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
        const { thread } = await this.#actor.ask({ type: 'ready' }, { timeout: TIMEOUT })
        const start = cpuTimeOf(thread)
        this.#id = start === undefined ? undefined : thread
        this.#worked = 0
        return start ?? 0
      } catch (error) {
        // The thread died during its start; it restarts, with a growing delay.
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
      return await this.#actor.ask({ type: 'run', job, input }, { timeout: TIMEOUT })
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
