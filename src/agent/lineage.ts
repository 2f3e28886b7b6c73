import { getSystemErrorName } from 'node:util'
import { forkNumber } from '../audit/lineage/current-forks.ts'
import type { ForkStats } from '../audit/lineage/fork-addon.ts'
import { Forks } from '../audit/lineage/forks.ts'
import { AuditSourceError } from '../audit/source/audit-source-error.ts'
import { Backoff } from '../base/backoff.ts'
import { logTrouble } from '../base/bug.ts'
import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import type { LogFields } from '../base/log-fields.ts'
import type { Logger } from '../base/logger.ts'
import type { Random } from '../base/random.ts'

export interface LineageOptions {
  logger: Logger
  procRoot?: string
  /**
   * Called with each tree before its first use, to enter the known processes. When the call rejects, another tree is
   * opened.
   */
  onOpen?: (forks: Forks) => Promise<void>
  open?: typeof Forks.open
  /**
   * Where BPF programs that follow forks have their maps, while they are in force. Without any, the process connector
   * follows them.
   */
  programs?: () => string | undefined
  clock?: Clock
  random?: Random
}

/** Milliseconds. */
const delays = { first: 1_000, max: 60_000 }
const pollInterval = 1_000

/**
 * Follows the node's forks as long as the agent runs, so that a violation of an ended process is reported with its
 * container. Where the kernel does not allow it, the agent logs the reason once and asks /proc alone. A tree that
 * breaks is opened again.
 */
export class Lineage {
  /** The number of the tree, for other threads; 0 while there is none. */
  readonly number = forkNumber()
  /** How often the tree was opened again. */
  restarts = 0
  readonly #options: Required<Pick<LineageOptions, 'open' | 'clock'>> & LineageOptions
  readonly #backoff: Backoff
  #forks: Forks | undefined
  #overrunsBefore = 0
  /** Why there is none. */
  #off = 'NOT_OPENED'
  /** It has been open, so it can be again, whatever is in the way. */
  #wasOpen = false
  #timer: Timer | undefined
  #closed = false
  /** Of the programs that the tree reads from; undefined for the process connector. */
  #folder: string | undefined
  /** Of programs that it cannot read from. */
  #refused: string | undefined

  constructor(options: LineageOptions) {
    this.#options = { open: Forks.open, clock: systemClock, ...options }
    this.#backoff = new Backoff({ ...delays, random: options.random ?? Math.random })
  }

  get forks(): Forks | undefined {
    return this.#forks
  }

  /** Counters of the tree of now; undefined while there is none. */
  get stats(): ForkStats | undefined {
    return this.#forks?.stats()
  }

  /** Times that forks were lost because the socket was full, of all trees. */
  get overruns(): number {
    return this.#overrunsBefore + (this.stats?.overruns ?? 0)
  }

  /** Counters, for a line of the log. */
  get status(): object {
    const { stats } = this
    const source = this.#folder === undefined ? 'process connector' : 'BPF'
    return { ...(stats === undefined ? { off: this.#off } : { source, ...stats }), restarts: this.restarts }
  }

  /** Follows forks from now on, or as soon as that is possible. Blocks for some milliseconds. */
  async start(): Promise<void> {
    const { logger, onOpen, clock } = this.#options
    let forks: Forks | undefined
    try {
      forks = this.#open()
      await onOpen?.(forks)
    } catch (error) {
      forks?.close()
      this.#failed(error)
      return
    }
    if (this.#closed) return forks.close()
    this.#forks = forks
    Atomics.store(this.number, 0, forks.number)
    if (this.#off !== 'NOT_OPENED') {
      this.restarts++
      logger.info({ restarts: this.restarts }, 'following forks again')
    }
    this.#wasOpen = true
    this.#off = ''
    this.#timer = clock.after(pollInterval, () => this.#poll())
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#letGo()
    this.#off = 'CLOSED'
  }

  /** From the programs, where they can be read. */
  #open(): Forks {
    const { open, logger, procRoot = '/proc' } = this.#options
    this.#folder = this.#programs
    if (this.#folder === undefined) return open({ procRoot })
    try {
      return open({ procRoot, folder: this.#folder })
    } catch (error) {
      logTrouble(
        logger,
        error,
        explain(error),
        'cannot follow forks with the BPF programs; using the process connector',
      )
      this.#refused = this.#folder
      this.#folder = undefined
      return open({ procRoot })
    }
  }

  get #programs(): string | undefined {
    const folder = this.#options.programs?.()
    return folder === this.#refused ? undefined : folder
  }

  /** A tree whose thread has ended, or whose programs are no longer in force, learns of no new fork. */
  #poll(): void {
    const { logger, clock } = this.#options
    const error = this.stats?.error ?? 0
    if (error === 0 && this.#programs !== this.#folder) {
      this.#letGo()
      this.#off = 'NOT_OPENED'
      void this.start()
    } else if (error === 0) {
      this.#backoff.reset()
      this.#timer = clock.after(pollInterval, () => this.#poll())
    } else {
      this.#off = 'SYSTEM'
      logger.warn({ errno: getSystemErrorName(-error) }, `${without}; retrying`)
      this.#letGo()
      this.#again()
    }
  }

  #letGo(): void {
    this.#overrunsBefore = this.overruns
    Atomics.store(this.number, 0, 0)
    this.#forks?.close()
    this.#forks = undefined
  }

  #again(): void {
    if (!this.#closed) this.#timer = this.#options.clock.after(this.#backoff.next(), () => void this.start())
  }

  #failed(error: unknown): void {
    const { logger } = this.#options
    const fields = explain(error)
    const { code } = fields
    // Said when it changes, not at each try. What this process may not do, it may not do later either.
    const lasting = !this.#wasOpen && code !== 'SYSTEM'
    if (code !== this.#off) logTrouble(logger, error, fields, lasting ? without : `${without}; retrying`)
    this.#off = code
    if (!lasting) this.#again()
  }
}

const without = 'cannot follow forks: violations of short-lived processes may lack their containers'

function explain(error: unknown): LogFields & { code: string } {
  if (!(error instanceof AuditSourceError)) return { code: 'SYSTEM', err: error }
  const { code, message: reason, remedy, context } = error
  return { ...context, code, reason, remedy }
}
