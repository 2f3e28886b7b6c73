import PQueue from 'p-queue'
import type { Clock } from '../../src/base/clock.ts'
import { checkCount } from './limits.ts'
import { Ring } from './ring.ts'

/** What actors of one behaviour have in common for the dispatcher. */
export interface Habits {
  /** Whether `start` or `receive` has ever returned a promise; undefined until a message was handled. */
  awaits: boolean | undefined
}

/** An actor, as the dispatcher sees it. */
export interface Runnable {
  readonly kind: Habits
  /** Handles up to `limit` messages. The promise, if it gives one, resolves when the message in hand is done. */
  turn(limit: number): Promise<void> | undefined
  /** Whether it wants another turn. When not, it comes back to `schedule` by itself. */
  again(): boolean
}

export interface DispatcherOptions {
  /** How many behaviours await something at the same time. 64 unless given. */
  readonly concurrency?: number
  /** The most messages that one actor handles before others get their turn. 64 unless given. */
  readonly batch?: number
}

const resolved = Promise.resolve()

/** After this many milliseconds, or this many turns, timers and I/O of the process get their chance. */
const SLICE = 5
const SLICE_TURNS = 4_096
/** The clock is looked at after so many turns: looking costs as much as two messages. */
const LOOK = 8

/**
 * Gives ready actors their turns, first come, first served. Turns always run from a microtask of the dispatcher, never
 * inside `tell`.
 *
 * Actors whose behaviour never returned a promise run one after another in `pump`, with no promise and no closure for a
 * message. All others share runners: a runner takes one ready actor after another and waits for each. Runners are jobs of a
 * p-queue, whose concurrency is therefore the number of behaviours that await at once; and however many of those hang,
 * actors that never wait are not held up.
 */
export class Dispatcher {
  private readonly clock: Clock
  private readonly batch: number
  private readonly queue: PQueue
  private readonly ready = new Ring<Runnable>()
  private readonly awaiting = new Ring<Runnable>()
  private pumpRequested = false
  /** Runners that run or yield, not counting those that wait for a behaviour. */
  private activeRunners = 0

  constructor(clock: Clock, { concurrency = 64, batch = 64 }: DispatcherOptions = {}) {
    checkCount('The number of behaviours that await at once', concurrency)
    checkCount('The number of messages in a turn', batch)
    this.clock = clock
    this.batch = batch
    this.queue = new PQueue({ concurrency })
  }

  /** Whether nothing will happen until a timer fires or a promise of the outside world resolves. */
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
    // Not queueMicrotask: that makes an asynchronous resource each time, and costs three times as much.
    void resolved.then(this.pump)
  }

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
    // Only now: a request while it ran would be a second pump, which no slice ends.
    this.pumpRequested = false
    if (this.ready.size > 0) this.request()
  }

  private sliceOver(turns: number, end: number): boolean {
    return turns > SLICE_TURNS || this.clock.now() > end
  }

  private after(actor: Runnable): void {
    if (actor.again()) this.schedule(actor)
  }

  /** The first promise of a behaviour is running by now; it counts towards the limit, and the next ones wait their turn. */
  private becameAwaiting(actor: Runnable, pending: Promise<void>): void {
    actor.kind.awaits = true
    void this.queue.add(() => pending)
    void pending.then(() => this.after(actor))
  }

  private startRunners(): void {
    // A runner that p-queue holds back shows that the limit is reached.
    while (this.awaiting.size > 0 && this.queue.size === 0) void this.queue.add(this.runner)
  }

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
