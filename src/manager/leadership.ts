import { ActorSystem, type SystemStats } from '../../actors/runtime/index.ts'
import { logTrouble } from '../base/bug.ts'
import type { Logger } from '../base/logger.ts'
import type { ApiClient } from '../kube/client.ts'
import { type LeaderElectionOptions, LeaderElector } from '../kube/leader-election.ts'
import type { Term } from '../kube/term.ts'
import type { ControlPlane } from './control-plane.ts'

/** Milliseconds. */
export type ElectionTiming = Pick<LeaderElectionOptions, 'leaseDuration' | 'renewDeadline' | 'retryPeriod'>

export interface LeadershipOptions {
  client: ApiClient
  /** Namespace of the Lease. */
  namespace: string
  identity: string
  logger: Logger
  timing?: ElectionTiming
  /** Creates the control plane of a term. Leadership starts and stops it. */
  controlPlane(term: Term): ControlPlane
  /** Milliseconds for the actors of a term to stop. */
  timeout: number
}

const idle = new ActorSystem().stats()

/** Takes part in the election, and runs one control plane for each term of this manager. */
export class Leadership {
  readonly #options: LeadershipOptions
  readonly #elector: LeaderElector
  #leader: string | null = null
  #term: { controlPlane: ControlPlane; end: () => Promise<void> } | undefined
  /** Resolves when the previous term's actors have stopped. The next term waits for it. */
  #ending: Promise<void> = Promise.resolve()

  constructor(options: LeadershipOptions) {
    this.#options = options
    const { client, namespace, identity, logger, timing } = options
    this.#elector = new LeaderElector({
      client,
      lease: { namespace, name: 'varmor-manager' },
      identity,
      ...timing,
      leading: (term) => this.#begin(term),
      ended: (_term, reason) => this.#end(reason),
      observer: {
        leader: (holder) => {
          this.#leader = holder === '' ? null : holder
        },
        failed: (err) => logTrouble(logger, err, { err }, 'cannot read or write the lease; retrying'),
      },
    })
  }

  isLeader(): boolean {
    return this.#elector.isLeader()
  }

  /** The leader's identity. */
  get leader(): string | null {
    return this.#leader
  }

  /** The control plane of this manager's term. */
  get controlPlane(): ControlPlane | undefined {
    return this.#term?.controlPlane
  }

  get stats(): SystemStats {
    return this.controlPlane?.stats ?? idle
  }

  start(): void {
    this.#elector.start()
  }

  /** Ends the term first, then releases the lease, so that another manager takes over at once. */
  async stop(): Promise<void> {
    await this.#term?.end()
    await this.#elector.stop()
    await this.#ending
  }

  #begin(term: Term): void {
    const { logger, timeout } = this.#options
    const controlPlane = this.#options.controlPlane(term)
    let ended: Promise<void> | undefined
    const end = (): Promise<void> => {
      ended ??= controlPlane.stop(timeout)
      return ended
    }
    this.#term = { controlPlane, end }
    logger.info({ epoch: controlPlane.epoch, ...term.token }, 'this manager is now the leader')
    // Wait for the previous term's actors. They no longer write, but all terms share one restart limiter.
    void this.#ending.then(() => {
      if (this.controlPlane === controlPlane) controlPlane.start()
    })
  }

  #end(reason: unknown): void {
    const { logger } = this.#options
    const term = this.#term
    this.#term = undefined
    if (term === undefined) return
    logger.info({ reason: String(reason) }, 'this manager is no longer the leader')
    this.#ending = term.end().catch((err: unknown) => {
      logger.error({ err }, 'cannot stop the actors of this leadership term cleanly')
    })
  }
}
