import { isDeepStrictEqual } from 'node:util'
import { Pause } from '../../audit/source/source.ts'
import { logTrouble } from '../../base/bug.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { SeccompReports } from '../../profile/context.ts'
import { type ContainerRuntime, RuntimeError } from '../containers/runtime.ts'
import { unreported } from '../containers/seccomp-flags.ts'

export interface SeccompSupportOptions {
  runtime: Pick<ContainerRuntime, 'seccompReports'>
  /** Called with the first answer, and when the answer changes. */
  onChange(): void
  clock: Clock
  logger: Logger
}

/**
 * Milliseconds between two queries. An administrator may replace a runtime's program without containerd, so no event
 * reports this.
 */
const period = 60_000
/**
 * Milliseconds for which the last answer stays valid if the runtime does not answer. Meanwhile, the runtime does not
 * start containers, either.
 */
const keptFor = 300_000
/** Maximum milliseconds that Seccomp profiles wait for the first answer. */
const firstWithin = 5_000

/** Tracks which flags of seccomp profiles the runtimes of the node support. */
export class SeccompSupport {
  readonly #options: SeccompSupportOptions
  readonly #pause: Pause
  #stopped = false
  #running: Promise<void> | undefined
  #late: Timer | undefined
  #answered: number | undefined
  #now: SeccompReports
  #known: () => void = () => undefined
  /** Resolves when the runtime has answered or failed, or the time limit is over. */
  readonly known = new Promise<void>((resolve) => {
    this.#known = resolve
  })

  constructor(options: SeccompSupportOptions) {
    this.#options = options
    this.#pause = new Pause(options.clock)
    const { seccompReports } = options.runtime
    this.#now =
      seccompReports === undefined
        ? unreported('the container runtime', 'it cannot tell which flags its runtimes support')
        : noAnswer
  }

  get now(): SeccompReports {
    return this.#now
  }

  /** Runs until `stop`, and continues after any failure. */
  start(): void {
    if (this.#running !== undefined) return
    this.#late = this.#options.clock.after(firstWithin, this.#known)
    this.#running = this.#run()
  }

  /** Queries the runtime again, because its flags may have changed. */
  ask(): void {
    this.#pause.wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#pause.wake()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#askNow()
      this.#late?.cancel()
      this.#known()
      if (this.#options.runtime.seccompReports === undefined) return
      if (!this.#stopped) await this.#pause.wait(period)
    }
  }

  async #askNow(): Promise<void> {
    const { runtime, clock, logger, onChange } = this.#options
    const before = this.#now
    try {
      this.#now = (await runtime.seccompReports?.()) ?? before
      this.#answered = clock.now()
    } catch (error) {
      if (!(error instanceof RuntimeError))
        logTrouble(logger, error, { err: error }, 'cannot ask the container runtime for its seccomp flags; retrying')
      const isRecent = this.#answered !== undefined && clock.now() - this.#answered < keptFor
      if (!isRecent) this.#now = noAnswer
    }
    if (!isDeepStrictEqual(before, this.#now)) onChange()
  }
}

const noAnswer = unreported('the container runtime', 'it does not answer')
