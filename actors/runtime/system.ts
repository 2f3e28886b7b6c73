import { type Clock, systemClock } from '../../src/base/clock.ts'
import { type Logger, noLogger } from '../../src/base/logger.ts'
import type { Random } from '../../src/base/random.ts'
import { Deadlines } from './ask.ts'
import type { Behaviour, SpawnOptions } from './behaviour.ts'
import type { Cell } from './cell.ts'
import { Counters, copyStats, type Stats, sumStats } from './counters.ts'
import { type DeadLetter, DeadLetters } from './dead-letters.ts'
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts'
import type { Environment } from './environment.ts'
import { type Family, type FamilyOptions, LocalFamily } from './family.ts'
import { checkFromZeroOrForever } from './limits.ts'
import { MailboxPool } from './mailbox.ts'
import { Nobody } from './nobody.ts'
import { Thread, type ThreadOptions, type ThreadStats } from './placement/thread.ts'
import type { AnyReference, Reference, StopOptions } from './reference.ts'
import { Spawner } from './spawner.ts'
import type { Failure } from './supervision.ts'
import { Watches } from './watches.ts'

export interface SystemOptions extends DispatcherOptions {
  /** The machine's clock unless given. */
  readonly clock?: Clock
  /** For backoff, and for behaviours. `Math.random` unless given. */
  readonly random?: Random
  /** Nothing is logged unless given; everything is counted. */
  readonly logger?: Logger
  /** Told of every failure of every actor; it is logged either way. */
  onFailure?(failure: Failure): void
  onDeadLetter?(letter: DeadLetter): void
  /** Told when an actor without a parent escalates, after its end has begun. */
  onEscalation?(address: string, error: unknown): void
  /** Finds the actors of addresses that this system does not know. For the systems of threads. */
  elsewhere?(address: string): AnyReference
}

export interface SystemStats {
  /** All actors of this thread, and messages to addresses without an actor. */
  readonly total: Stats
  /** Spawned actors. */
  readonly spawned: Stats
  /** The families of this thread, by name. */
  readonly families: Readonly<Record<string, Stats>>
  readonly threads: Readonly<Record<string, ThreadStats>>
}

/** A set of actors that share a dispatcher, a clock and a source of randomness. */
export class ActorSystem {
  readonly environment: Environment
  private readonly options: SystemOptions
  private readonly spawner: Spawner
  private readonly families = new Map<string, LocalFamily>()
  private readonly threads = new Map<string, Thread>()
  /** Which thread has a family. */
  private readonly placed = new Map<string, Thread>()
  private readonly nobody = new Counters()
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
      deadLetters: new DeadLetters(clock, log, options.onDeadLetter?.bind(options)),
      deadlines: new Deadlines(clock),
      watches: new Watches((error) => log.error({ err: error }, 'a listener for the end of an actor failed')),
      mailboxes: new MailboxPool(),
      failed: (failure) => this.failed(failure),
      escalated: (address, error) => this.guarded(() => this.options.onEscalation?.(address, error)),
      lookup: (address) => this.find(address),
    }
    this.spawner = new Spawner(this.environment)
  }

  /**
   * Starts an actor.
   * @throws {Error} if the name is taken, or is none, or the system stops
   */
  spawn<State, Message>(behaviour: Behaviour<State, Message>, options: SpawnOptions<Message> = {}): Reference<Message> {
    this.assertOpen()
    if (options.name !== undefined) this.assertNoFamily(options.name)
    return this.spawner.spawn(undefined, behaviour, options)
  }

  /**
   * Defines actors that are addressable without being there: `family/key`.
   * @throws {Error} if the name is taken, or is none, or the system stops
   */
  family<State, Message, Compact = never>(
    name: string,
    options: FamilyOptions<State, Message, Compact>,
  ): Family<Message> {
    this.assertOpen()
    this.assertFree(name)
    // The family hands each function only what another one of the same options made.
    const untyped = options as unknown as FamilyOptions<unknown, unknown, unknown>
    const kind = this.spawner.kind(untyped, `${name}/`, new Counters())
    const family = new LocalFamily<Message>(kind, name, untyped)
    this.families.set(name, family as LocalFamily)
    return family
  }

  /**
   * Starts a worker thread with families of its own.
   * @throws {Error} if the name, or that of a family, is taken, or the system stops
   */
  thread(name: string, options: ThreadOptions): Thread {
    this.assertOpen()
    if (this.threads.has(name)) throw new Error(`There is a thread ${name} already`)
    for (const family of options.families) this.assertFree(family)
    const thread = new Thread(name, options, this.environment, (address) => this.find(address))
    this.threads.set(name, thread)
    for (const family of options.families) this.placed.set(family, thread)
    return thread
  }

  /** The actor of an address, wherever it lives. The caller vouches for the type of its messages. */
  lookup<Message>(address: string): Reference<Message> {
    return this.find(address)
  }

  /** The actor of an address on this thread. For messages that came here from another one. */
  lookupHere(address: string): AnyReference {
    return this.findHere(address) ?? this.nowhere(address)
  }

  stats(): SystemStats {
    const families = Object.fromEntries([...this.families].map(([name, family]) => [name, family.stats]))
    const threads = Object.fromEntries([...this.threads].map(([name, thread]) => [name, thread.stats]))
    return { total: this.statsWith([]), spawned: copyStats(this.spawner.counters), families, threads }
  }

  /** The sum of all counters of this thread and those given. */
  statsWith(others: readonly Stats[]): Stats {
    const families = [...this.families.values()].map(({ counters }) => counters)
    return sumStats([this.spawner.counters, this.nobody, ...families, ...others])
  }

  /**
   * Ends all actors and threads. Nothing new is taken from now on, also not what draining actors tell each other.
   * Resolves when all have ended. Actors of this thread come first and end at the latest after `within`; those of other
   * threads have what they leave of it. A thread that does not end by then, because it never comes back from a message,
   * say, is killed a tenth of its time later, though 250 ms at the least and 2 s at the most: with 300 all is over after
   * some 550 ms, with 30,000 after 32 s.
   * @throws {RangeError} (as rejection) if `within` is no time; nothing is stopped then
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const { drain = true, within = 30_000 } = options
    checkFromZeroOrForever('The time to stop', within)
    this.stopping = true
    const { clock } = this.environment
    const end = clock.now() + within
    const cells = [...this.spawner.all(), ...[...this.families.values()].flatMap((family) => family.close())]
    await this.stopCells(cells, drain, within)
    const rest = { drain, within: Math.max(0, end - clock.now()) }
    await Promise.all([...this.threads.values()].map((thread) => thread.stop(rest)))
    this.environment.deadlines.cancel()
  }

  private async stopCells(cells: readonly Cell[], drain: boolean, within: number): Promise<void> {
    const abandon = (): void => {
      for (const cell of cells) cell.abandon()
    }
    const limit = within < Number.POSITIVE_INFINITY ? this.environment.clock.after(within, abandon) : undefined
    await Promise.all(cells.map((cell) => cell.stop({ drain, within: Number.POSITIVE_INFINITY })))
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
    return this.spawner.find(address)
  }

  private nowhere(address: string): AnyReference {
    const { deadlines, deadLetters } = this.environment
    return new Nobody(address, deadlines, deadLetters, this.nobody)
  }

  private failed(failure: Failure): void {
    const { log } = this.environment
    const { message, error, ...fields } = failure
    log.warn({ ...fields, err: error }, 'an actor failed')
    this.guarded(() => this.options.onFailure?.(failure))
  }

  /** Calls a listener whose own failure must not reach the actor that it hears of. */
  private guarded(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.environment.log.error({ err: error }, 'a listener for failures failed')
    }
  }

  private assertOpen(): void {
    if (this.stopping) throw new Error('The actor system stops')
  }

  private assertFree(name: string): void {
    if (name === '' || name.includes('/')) throw new Error(`A family's name has no /: ${name}`)
    if (this.spawner.has(name)) throw new Error(`There is an actor ${name} already`)
    this.assertNoFamily(name)
  }

  private assertNoFamily(name: string): void {
    if (this.families.has(name) || this.placed.has(name)) throw new Error(`There is a family ${name} already`)
  }
}
