import PQueue from 'p-queue'
import type { Clock } from '../../src/base/clock.ts'
import { checkCount } from './limits.ts'
import { Ring } from './ring.ts'

/** Facts about a behaviour that the dispatcher needs. */
export interface Habits {
  /** Whether `start` or `receive` has ever returned a promise; undefined until the first message is handled. */
  awaits: boolean | undefined
}

/** The dispatcher's view of an actor. */
export interface Runnable {
  readonly kind: Habits
  /**
   * Handles up to `limit` messages. If it returns a promise, the promise resolves when the current message is handled.
   */
  turn(limit: number): Promise<void> | undefined
  /** Whether the actor wants another turn. If not, the actor calls `schedule` later. */
  again(): boolean
}

export interface DispatcherOptions {
  /** Maximum number of behaviours that await at the same time. Default 64. */
  readonly concurrency?: number
  /** Maximum number of messages that an actor handles in one turn. Default 64. */
  readonly batch?: number
}

const resolved = Promise.resolve()

/** After this many milliseconds or turns, the dispatcher lets timers and I/O of the process run. */
const SLICE = 5
const SLICE_TURNS = 4_096
/** Turns between two reads of the clock, because a read costs as much as two messages. */
const LOOK = 8

/**
 * Runs ready actors in order of arrival, always in a microtask of the dispatcher, never inside `tell`. `pump` runs
 * actors that never await; a `runner` runs other actors. Even if all awaiting behaviours hang, actors that never await
 * continue.
 */
export class Dispatcher {
  private readonly clock: Clock
  private readonly batch: number
  private readonly queue: PQueue
  private readonly ready = new Ring<Runnable>()
  private readonly awaiting = new Ring<Runnable>()
  private pumpRequested = false
  /** Number of runners, except runners that wait for a behaviour. */
  private activeRunners = 0

  constructor(clock: Clock, { concurrency = 64, batch = 64 }: DispatcherOptions = {}) {
    checkCount('The number of behaviours that await at once', concurrency)
    checkCount('The number of messages in a turn', batch)
    this.clock = clock
    this.batch = batch
    this.queue = new PQueue({ concurrency })
  }

  /** Whether nothing will happen until a timer fires or an external promise resolves. */
  get quiet(): boolean {
    return !this.pumpRequested && this.activeRunners === 0 && this.ready.size === 0
  }

  schedule(actor: Runnable): void {
    if (actor.kind.awaits === false) this.ready.push(actor)
    else this.awaiting.push(actor)
    if (!this.pumpRequested) this.request()
  }

  private request(): void {
    this.pumpRequested = true
    // Do not use queueMicrotask: it creates an asynchronous resource each time and costs three times as much.
    void resolved.then(this.pump)
  }

  /** Runs actors that never returned a promise one after another, without a promise or a closure for each message. */
  private readonly pump = (): void => {
    this.startRunners()
    const end = this.clock.now() + SLICE
    for (let turns = 0; this.ready.size > 0; turns++) {
      if (turns % LOOK === LOOK - 1 && this.sliceOver(turns, end)) {
        this.startRunners()
        setImmediate(this.pump)
        return
      }
      const actor = this.ready.shift()!
      const pending = actor.turn(this.batch)
      if (pending === undefined) this.after(actor)
      else this.becameAwaiting(actor, pending)
    }
    this.startRunners()
    // Reset the flag only here: a request during the run would start a second pump that no slice limits.
    this.pumpRequested = false
    if (this.ready.size > 0) this.request()
  }

  private sliceOver(turns: number, end: number): boolean {
    return turns > SLICE_TURNS || this.clock.now() > end
  }

  private after(actor: Runnable): void {
    if (actor.again()) this.schedule(actor)
  }

  /**
   * The first promise of a behaviour is already running, so it counts toward the limit at once. Later promises wait for
   * a runner.
   */
  private becameAwaiting(actor: Runnable, pending: Promise<void>): void {
    actor.kind.awaits = true
    void this.queue.add(() => pending)
    void pending.then(() => this.after(actor))
  }

  private startRunners(): void {
    // A runner that p-queue keeps in its queue shows that the limit of awaiting behaviours is reached.
    while (this.awaiting.size > 0 && this.queue.size === 0) void this.queue.add(this.runner)
  }

  /**
   * Takes one ready actor after another and waits for each. Runners are jobs of a p-queue, whose concurrency limits the
   * number of awaiting behaviours.
   */
  private readonly runner = async (): Promise<void> => {
    this.activeRunners++
    let end = this.clock.now() + SLICE
    for (let turns = 0; this.awaiting.size > 0; turns++) {
      if (turns % LOOK === LOOK - 1 && this.sliceOver(turns, end)) {
        await new Promise<void>((resolve) => setImmediate(resolve))
        end = this.clock.now() + SLICE
        turns = 0
        continue
      }
      const actor = this.awaiting.shift()!
      const pending = actor.turn(this.batch)
      if (pending !== undefined) {
        actor.kind.awaits = true
        this.activeRunners--
        await pending
        this.activeRunners++
        end = this.clock.now() + SLICE
      }
      this.after(actor)
    }
    this.activeRunners--
  }
}
