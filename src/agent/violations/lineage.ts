import { getSystemErrorName } from 'node:util'
import { forkNumber } from '../../audit/lineage/current-forks.ts'
import type { ForkStats } from '../../audit/lineage/fork-addon.ts'
import { Forks } from '../../audit/lineage/forks.ts'
import { AuditSourceError } from '../../audit/source/audit-source-error.ts'
import { Backoff } from '../../base/backoff.ts'
import { logTrouble } from '../../base/bug.ts'
import { type Clock, systemClock, type Timer } from '../../base/clock.ts'
import type { LogFields } from '../../base/log-fields.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'

export interface LineageOptions {
  logger: Logger
  procRoot?: string
  /**
   * Called with each tree before its first use, to add the containers of running processes. If the call rejects,
   * another tree is opened.
   */
  onOpen?: (forks: Forks) => Promise<void>
  open?: typeof Forks.open
  /**
   * Returns the folder with the maps of the BPF programs that follow forks, while these programs are attached. Without
   * it, the process connector follows forks.
   */
  programs?: () => string | undefined
  clock?: Clock
  random?: Random
}

/** Milliseconds. */
const delays = { first: 1_000, max: 60_000 }
const pollInterval = 1_000

/**
 * Follows the forks of the node, so that a violation of an ended process still gets its container. If the kernel does
 * not permit this, the agent logs the reason once and uses only /proc. A broken tree is opened again.
 */
export class Lineage {
  /** The number of the tree, for other threads; 0 if there is none. */
  readonly number = forkNumber()
  /** Number of times that the tree was opened again. */
  restarts = 0
  readonly #options: Required<Pick<LineageOptions, 'open' | 'clock'>> & LineageOptions
  readonly #backoff: Backoff
  #forks: Forks | undefined
  #overrunsBefore = 0
  /** Why the tree is not open. */
  #off = 'NOT_OPENED'
  /** Whether a tree was open before. If so, a later attempt may succeed after any error. */
  #wasOpen = false
  #timer: Timer | undefined
  #closed = false
  /** Folder of the programs from which the tree reads; undefined: it reads from the process connector. */
  #folder: string | undefined
  /** Folder of programs from which the tree cannot read. */
  #refused: string | undefined

  constructor(options: LineageOptions) {
    this.#options = { open: Forks.open, clock: systemClock, ...options }
    this.#backoff = new Backoff({ ...delays, random: options.random ?? Math.random })
  }

  get forks(): Forks | undefined {
    return this.#forks
  }

  /** Counters of the current tree; undefined if there is none. */
  get stats(): ForkStats | undefined {
    return this.#forks?.stats()
  }

  /** Number of times that forks were lost because a socket was full, of all trees. */
  get overruns(): number {
    return this.#overrunsBefore + (this.stats?.overruns ?? 0)
  }

  /** Counters, for a line of the log. */
  get status(): object {
    const { stats } = this
    const source = this.#folder === undefined ? 'process connector' : 'BPF'
    return { ...(stats === undefined ? { off: this.#off } : { source, ...stats }), restarts: this.restarts }
  }

  /** Starts to follow forks, now or as soon as possible. Blocks for some milliseconds. */
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

  /** Opens a tree that reads from the programs, if possible, and otherwise from the connector. */
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

  /**
   * Checks the tree. If its thread has ended or its programs are detached, it gets no new forks and must be replaced.
   */
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
    // Log a reason only once, not at each try. If a permission is missing, it stays missing while this process runs.
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
