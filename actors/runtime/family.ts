import type { Timer } from '../../src/base/clock.ts'
import type { Behaviour } from './behaviour.ts'
import { Cell } from './cell.ts'
import { type Counters, copyStats, type Stats } from './counters.ts'
import { askErrorCodes, type Environment, type Kind } from './environment.ts'
import { checkAboveZero } from './limits.ts'
import type { MailboxOptions } from './mailbox.ts'
import type { Origin } from './origin.ts'
import { AnyReference, type Reference } from './reference.ts'
import type { Supervision } from './supervision.ts'

export interface FamilyOptions<State, Message, Compact = never> {
  /** One behaviour for all actors of the family; `context.key` identifies the actor. */
  readonly behaviour: Behaviour<State, Message>
  readonly mailbox?: MailboxOptions<Message>
  readonly supervision?: Supervision
  /**
   * Milliseconds without a message after which an instance is passivated; the longest time is twice as long. An actor
   * with timers is not idle. Must be above 0; Infinity disables passivation. Default 60,000.
   */
  readonly idleAfter?: number
  /**
   * The part of the state that stays in memory without an instance: keep it small; a number is best. Undefined keeps
   * nothing. By default nothing is kept, and `start` builds the state for the next message.
   */
  passivate?(state: State): Compact | undefined
  /**
   * Builds the state of a passivated actor from the kept part. If nothing was kept, or after a failure, `start` builds
   * it.
   */
  activate?(compact: Compact, key: string): State
}

/** A set of actors that have addresses before they have instances. */
export interface Family<Message> {
  readonly name: string
  /** The actor of the key. A key is any text; keep it short if there are a million actors. */
  of(key: string): Reference<Message>
}

/** Number of instances that a sweep checks before it lets other work run. */
const SWEEP = 5_000

/**
 * The actors of a family on this thread: an instance of each active actor, and a compact form of each passivated actor.
 */
export class LocalFamily<Message = unknown> implements Family<Message> {
  readonly name: string
  readonly environment: Environment
  private readonly kind: Kind
  private readonly idleAfter: number
  private readonly passivate: ((state: unknown) => unknown) | undefined
  /** Instances and compact forms share one map, so that the activation of an actor needs no second entry and key. */
  private readonly actors = new Map<string, unknown>()
  private readonly instances: Cell[] = []
  private sweep: Timer | undefined
  private closed = false

  constructor(kind: Kind, name: string, options: FamilyOptions<unknown, unknown, unknown>) {
    const { idleAfter = 60_000 } = options
    if (idleAfter !== Number.POSITIVE_INFINITY) checkAboveZero('The time after which an actor is idle', idleAfter)
    this.name = name
    this.kind = kind
    this.environment = kind.environment
    this.idleAfter = idleAfter
    this.passivate = options.passivate === undefined ? undefined : (state) => options.passivate?.(state)
  }

  of(key: string): AnyReference<Message> {
    return new FamilyReference<Message>(this, key)
  }

  get counters(): Counters {
    return this.kind.counters
  }

  get stats(): Stats {
    return copyStats(this.kind.counters)
  }

  /** The actor's instance, which is created if it is missing; undefined once the system stops. */
  instance(key: string): Cell | undefined {
    const known = this.actors.get(key)
    if (known instanceof Cell) return known
    if (this.closed) return undefined
    const cell = new Cell(this.kind, key, this.instanceEnded)
    if (known !== undefined) {
      this.kind.counters.passivated--
      cell.wakeFrom(known)
    }
    this.actors.set(key, cell)
    cell.index = this.instances.push(cell) - 1
    cell.epoch = this.kind.epoch
    if (this.sweep === undefined) this.sweepLater()
    return cell
  }

  /** Makes a dead letter of a message that arrives while the system stops. */
  refuse(key: string, message: unknown, origin: Origin | undefined): false {
    this.kind.counters.sent++
    this.environment.deadLetters.add('stopped', this.kind.prefix + key, message, this.kind.counters)
    if (origin?.kind === 'ask') origin.fail(askErrorCodes.stopped)
    return false
  }

  /** Stops creating instances; the caller must stop the existing instances. Compact forms stay. */
  close(): readonly Cell[] {
    this.closed = true
    this.sweep?.cancel()
    return [...this.instances]
  }

  private readonly instanceEnded = (cell: Cell): void => {
    this.actors.delete(cell.key)
    this.removeInstance(cell)
  }

  private removeInstance(cell: Cell): void {
    const last = this.instances.pop()!
    if (last === cell) return
    this.instances[cell.index] = last
    last.index = cell.index
  }

  /** One timer serves all instances. An instance that was not busy for two sweeps is idle. */
  private readonly startSweep = (): void => {
    this.kind.epoch++
    this.sweepFrom(this.instances.length - 1)
  }

  private sweepFrom(from: number): void {
    const to = Math.max(0, from - SWEEP)
    // Go backward: when an instance is removed, the last instance takes its place, and a backward sweep has already
    // checked it.
    for (let i = Math.min(from, this.instances.length - 1); i >= to; i--) this.passivateIfIdle(this.instances[i]!)
    const { clock } = this.environment
    if (to > 0) this.sweep = clock.after(0, () => this.sweepFrom(to - 1))
    else {
      this.sweep = undefined
      if (this.instances.length > 0) this.sweepLater()
    }
  }

  private sweepLater(): void {
    if (this.idleAfter < Number.POSITIVE_INFINITY)
      this.sweep = this.environment.clock.after(this.idleAfter, this.startSweep)
  }

  private passivateIfIdle(cell: Cell): void {
    if (cell.epoch > this.kind.epoch - 2 || !cell.idle) return
    let kept: unknown
    try {
      kept = cell.passivate((state) => this.passivate?.(state))
    } catch (error) {
      this.environment.log.error({ actor: cell.address, err: error }, 'cannot passivate an actor')
      return
    }
    this.removeInstance(cell)
    if (kept === undefined) this.actors.delete(cell.key)
    else {
      this.actors.set(cell.key, kept)
      this.kind.counters.passivated++
    }
  }
}

/** A reference to an actor of a family of this thread. */
class FamilyReference<Message> extends AnyReference<Message> {
  private readonly family: LocalFamily<Message>
  private readonly key: string
  /** The instance that received the last message, kept to save a lookup. */
  private cell: Cell | undefined

  constructor(family: LocalFamily<Message>, key: string) {
    super(family.environment.deadlines)
    this.family = family
    this.key = key
  }

  override get stale(): boolean {
    return false
  }

  override get address(): string {
    return `${this.family.name}/${this.key}`
  }

  override deliver(message: unknown, origin: Origin | undefined): boolean {
    if (this.cell === undefined || this.cell.phase === 'ended') this.cell = this.family.instance(this.key)
    return this.cell?.deliver(message, origin) ?? this.family.refuse(this.key, message, origin)
  }
}
