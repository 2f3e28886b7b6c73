import { type Clock, systemClock } from '../../src/base/clock.ts'
import { type Logger, noLogger } from '../../src/base/logger.ts'
import type { Random } from '../../src/base/random.ts'
import { Deadlines } from './ask.ts'
import type { Cell } from './cell.ts'
import { Context } from './context.ts'
import { Counters, type Stats, sumStats } from './counters.ts'
import { DeadLetters } from './dead-letters.ts'
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts'
import type { Environment, Kind } from './environment.ts'
import { type Family, type FamilyOptions, LocalFamily } from './family.ts'
import { checkFromZeroOrForever } from './limits.ts'
import { MailboxPool, mailboxPolicy } from './mailbox.ts'
import { Thread, type ThreadOptions, type ThreadStats } from './placement/thread.ts'
import type { AnyReference, Reference, StopOptions } from './reference.ts'
import { checkSupervision, type Failure } from './supervision.ts'
import { UnknownReference } from './unknown-reference.ts'

export interface SystemOptions extends DispatcherOptions {
  /** Default: the machine's clock. */
  readonly clock?: Clock
  /** Random numbers for the backoff and for behaviours. Default `Math.random`. */
  readonly random?: Random
  /** Default: no log. Counters work without a log. */
  readonly logger?: Logger
  /** Called with every failure of every actor, which is also logged. */
  onFailure?(failure: Failure): void
  /** Finds actors of unknown addresses. Used by the actor systems of threads. */
  elsewhere?(address: string): AnyReference
}

export interface SystemStats {
  /** Counts for all actors of this thread, and for messages to unknown addresses. */
  readonly total: Stats
  /** The families of this thread, by name. */
  readonly families: Readonly<Record<string, Stats>>
  readonly threads: Readonly<Record<string, ThreadStats>>
}

/** A set of actors that share a dispatcher, a clock and a source of randomness. */
export class ActorSystem {
  readonly environment: Environment
  private readonly options: SystemOptions
  private readonly families = new Map<string, LocalFamily>()
  private readonly threads = new Map<string, Thread>()
  /** The thread of each family that runs on another thread. */
  private readonly placed = new Map<string, Thread>()
  /** Counts messages to unknown addresses. */
  private readonly unknown = new Counters()
  private stopping = false

  constructor(options: SystemOptions = {}) {
    this.options = options
    const clock = options.clock ?? systemClock
    const log = options.logger ?? noLogger
    this.environment = {
      clock,
      log,
      random: options.random ?? Math.random,
      dispatcher: new Dispatcher(clock, options),
      deadLetters: new DeadLetters(clock, log),
      deadlines: new Deadlines(clock),
      mailboxes: new MailboxPool(),
      failed: (failure) => this.failed(failure),
      lookup: (address) => this.find(address),
    }
  }

  /**
   * Defines actors that have an address (`family/key`) before they have an instance.
   * @throws {Error} if the name is taken or invalid, or the system stops
   */
  family<State, Message, Compact = never>(
    name: string,
    options: FamilyOptions<State, Message, Compact>,
  ): Family<Message> {
    this.assertOpen()
    this.assertFree(name)
    // The cast is safe: each function of the options only gets values that another function of the same options made.
    const untyped = options as unknown as FamilyOptions<unknown, unknown, unknown>
    const family = new LocalFamily<Message>(this.kind(untyped, name), name, untyped)
    this.families.set(name, family as LocalFamily)
    return family
  }

  /**
   * Starts a worker thread with its own families.
   * @throws {Error} if the name or a family's name is taken, or the system stops
   */
  thread(name: string, options: ThreadOptions): Thread {
    this.assertOpen()
    if (this.threads.has(name)) throw new Error(`A thread with the name ${name} exists already`)
    for (const family of options.families) this.assertFree(family)
    const thread = new Thread(name, options, this.environment, (address) => this.find(address))
    this.threads.set(name, thread)
    for (const family of options.families) this.placed.set(family, thread)
    return thread
  }

  /**
   * Stops a thread and forgets it and its counters. Its name is free once the thread has ended. See `stop` for
   * `within`.
   */
  async endThread(thread: Thread, options: StopOptions = {}): Promise<void> {
    await thread.stop(options)
    this.threads.delete(thread.name)
    for (const [family, on] of this.placed) if (on === thread) this.placed.delete(family)
  }

  /** The actor of an address, on any thread. The caller must know the type of its messages. */
  lookup<Message>(address: string): Reference<Message> {
    return this.find(address)
  }

  /** The actor of an address on this thread. For messages from another thread. */
  lookupHere(address: string): AnyReference {
    return this.findHere(address) ?? this.nowhere(address)
  }

  /** Messages of a family of this thread that wait or are being handled. */
  queued(family: string): number {
    return this.families.get(family)?.counters.queued ?? 0
  }

  stats(): SystemStats {
    const families = Object.fromEntries([...this.families].map(([name, family]) => [name, family.stats]))
    const threads = Object.fromEntries([...this.threads].map(([name, thread]) => [name, thread.stats]))
    return { total: this.statsWith([]), families, threads }
  }

  /** The sum of all counters of this thread and of `others`. */
  statsWith(others: readonly Stats[]): Stats {
    const families = [...this.families.values()].map(({ counters }) => counters)
    return sumStats([this.unknown, ...families, ...others])
  }

  /**
   * Ends all actors and threads, and resolves when all have ended. Messages are refused from now on. Actors of this
   * thread end first, within `within`; actors of other threads get the rest of this time. A thread that hangs is killed
   * soon after.
   * @throws {RangeError} (as a rejection) if `within` is invalid; nothing is stopped then
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const { within = 30_000 } = options
    checkFromZeroOrForever('The time to stop', within)
    this.stopping = true
    const { clock } = this.environment
    const end = clock.now() + within
    const cells = [...this.families.values()].flatMap((family) => family.close())
    await this.stopCells(cells, within)
    const rest = { within: Math.max(0, end - clock.now()) }
    await Promise.all([...this.threads.values()].map((thread) => thread.stop(rest)))
    this.environment.deadlines.cancel()
  }

  private async stopCells(cells: readonly Cell[], within: number): Promise<void> {
    const abandon = (): void => {
      for (const cell of cells) cell.abandon()
    }
    const limit = within < Number.POSITIVE_INFINITY ? this.environment.clock.after(within, abandon) : undefined
    await Promise.all(cells.map((cell) => cell.stop()))
    limit?.cancel()
  }

  private find(address: string): AnyReference {
    return this.findHere(address) ?? this.options.elsewhere?.(address) ?? this.nowhere(address)
  }

  private findHere(address: string): AnyReference | undefined {
    const slash = address.indexOf('/')
    if (slash > 0) {
      const name = address.slice(0, slash)
      const family = this.families.get(name)
      if (family !== undefined) return family.of(address.slice(slash + 1))
      const thread = this.placed.get(name)
      if (thread !== undefined) return thread.reference(address)
    }
    return undefined
  }

  private kind(options: FamilyOptions<unknown, unknown, unknown>, family: string): Kind {
    const { behaviour, mailbox, supervision = {} } = options
    checkSupervision(supervision)
    return {
      environment: this.environment,
      family,
      prefix: `${family}/`,
      behaviour,
      mailbox: mailboxPolicy(mailbox),
      supervision,
      counters: new Counters(),
      awaits: undefined,
      epoch: 0,
      contextOf: (cell) => new Context(cell as Cell),
      ...(options.activate !== undefined && { activate: options.activate.bind(options) }),
    }
  }

  private nowhere(address: string): AnyReference {
    const { deadlines, deadLetters } = this.environment
    return new UnknownReference(address, deadlines, deadLetters, this.unknown)
  }

  private failed(failure: Failure): void {
    const { log } = this.environment
    const { address: actor, error: err, during, failures, retryIn: retryMs } = failure
    // Behaviours handle external failures as values, so this error is a bug. Its stack shows where.
    log.error({ actor, err, during, failures, retryMs }, 'an actor failed')
    try {
      this.options.onFailure?.(failure)
    } catch (thrown) {
      log.error({ err: thrown }, 'a listener for failures failed')
    }
  }

  private assertOpen(): void {
    if (this.stopping) throw new Error('The actor system stops')
  }

  private assertFree(name: string): void {
    if (name === '' || name.includes('/'))
      throw new Error(`The name of a family must not be empty or contain /: ${JSON.stringify(name)}`)
    if (this.families.has(name) || this.placed.has(name))
      throw new Error(`A family with the name ${name} exists already`)
  }
}
