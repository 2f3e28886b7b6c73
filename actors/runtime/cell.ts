import type { Timer } from '../../src/base/clock.ts'
import type { ActorContext } from './behaviour.ts'
import type { Runnable } from './dispatcher.ts'
import { Ending } from './ending.ts'
import type { Kind } from './environment.ts'
import { Inbox } from './inbox.ts'
import type { Asker, Origin } from './origin.ts'
import { type Failure, failuresInARow, restartDelay } from './supervision.ts'
import { Timers } from './timers.ts'

type Phase =
  /** The actor must start, or restart. */
  | 'new'
  /** The actor is passivated: `state` is the compact form. */
  | 'asleep'
  | 'running'
  /** The actor failed, and waits for its next start. */
  | 'backing-off'
  /** The actor waits for the behaviour's `stop`. */
  | 'ending'
  | 'ended'

/** Fields that few actors need, in a separate object to save memory. */
class Extras {
  timers: Timers | undefined
  failures = 0
  lastFailure: unknown
  startedAt = 0
  restart: Timer | undefined
  ending: Ending | undefined
}

/**
 * The instance of an actor: its state, its mailbox and its phase. `scheduled` ensures that it handles one message at a
 * time: the flag is set while the dispatcher has the actor, a promise is pending, or a backoff runs. The code that ends
 * such a condition schedules the actor.
 */
export class Cell extends Inbox implements Runnable {
  phase: Phase = 'new'
  /** The last sweep of the family during which the actor was busy. */
  epoch = 0
  /** The index of the instance in the family's list. */
  index = 0
  private state: unknown
  private scheduled = false
  /** A promise of `receive` is pending. */
  private busy = false
  private message: unknown
  private origin: Origin | undefined
  private context: ActorContext<unknown> | undefined
  private extras: Extras | undefined
  private readonly ended: (cell: Cell) => void

  constructor(kind: Kind, key: string, ended: (cell: Cell) => void) {
    super(kind, key)
    this.ended = ended
    kind.counters.live++
  }

  override wake(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.kind.environment.dispatcher.schedule(this)
  }

  // ---- turns

  turn(limit: number): Promise<void> | undefined {
    if (this.phase !== 'running' && !this.endsNow) {
      const pending = this.begin()
      if (pending !== undefined) return pending
    }
    for (let left = limit; left > 0 && this.phase === 'running'; left--) {
      const { mailbox } = this
      if (mailbox === undefined || mailbox.size === 0 || this.endsNow) break
      const message = mailbox.take()
      const pending = this.handle(message, mailbox.origin)
      if (pending !== undefined) return pending
    }
    return this.endsNow ? this.end() : undefined
  }

  again(): boolean {
    if (this.phase === 'ended' || this.phase === 'backing-off') return false
    if (this.phase === 'ending' || this.endsNow) return true
    if (this.waiting) return true
    this.closeMailbox()
    this.scheduled = false
    this.epoch = this.kind.epoch
    return false
  }

  private get endsNow(): boolean {
    if (!this.closed || this.phase === 'ended') return false
    return !this.extras?.ending?.drain || !this.waiting
  }

  private begin(): Promise<void> | undefined {
    if (this.phase !== 'new' && this.phase !== 'asleep') return undefined
    const during = this.phase === 'asleep' ? 'activate' : 'start'
    this.context ??= this.kind.contextOf(this)
    try {
      const { behaviour, activate } = this.kind
      const state =
        during === 'activate' && activate !== undefined ? activate(this.state, this.key) : behaviour.start(this.context)
      if (state instanceof Promise) return this.beginLater(state)
      this.began(state)
    } catch (error) {
      this.fail(error, during)
    }
    return undefined
  }

  private async beginLater(start: Promise<unknown>): Promise<void> {
    try {
      const state = await start
      if (this.phase !== 'ended') this.began(state)
    } catch (error) {
      if (this.phase !== 'ended') this.fail(error, 'start')
    }
  }

  private began(state: unknown): void {
    this.state = state
    this.phase = 'running'
    if (this.extras !== undefined) this.extras.startedAt = this.kind.environment.clock.now()
  }

  private handle(message: unknown, origin: Origin | undefined): Promise<void> | undefined {
    if (origin?.kind === 'timer' && !this.extras?.timers?.taken(origin)) {
      this.kind.counters.queued--
      this.kind.counters.coalesced++
      return undefined
    }
    this.message = message
    this.origin = origin
    try {
      // A running actor always has a context.
      const next = this.kind.behaviour.receive(this.state, message, this.context!)
      if (next instanceof Promise) return this.handleLater(next)
      this.done(next)
    } catch (error) {
      this.fail(error, 'receive')
    }
    return undefined
  }

  private async handleLater(receive: Promise<unknown>): Promise<void> {
    this.busy = true
    try {
      const next = await receive
      if (this.phase !== 'ended') this.done(next)
    } catch (error) {
      if (this.phase !== 'ended') this.fail(error, 'receive')
    }
    this.busy = false
  }

  private done(next: unknown): void {
    this.state = next
    const { kind, origin } = this
    this.message = undefined
    this.origin = undefined
    // Set this flag only here: when a message reaches this line, the behaviour has handled it without a promise.
    if (kind.awaits === undefined) kind.awaits = false
    kind.counters.processed++
    kind.counters.queued--
    if (origin?.kind === 'ask' && !origin.settled) origin.fail('NO_REPLY')
  }

  // ---- failure

  private fail(error: unknown, during: Failure['during']): void {
    const extras = this.more()
    const { environment, supervision } = this.kind
    const upFor = during === 'receive' ? environment.clock.now() - extras.startedAt : 0
    extras.failures = failuresInARow(supervision, extras.failures, upFor)
    extras.lastFailure = error
    const retryIn = restartDelay(supervision, extras.failures, environment.random)
    const message = during === 'receive' ? { message: this.message } : {}
    if (during === 'receive') this.failMessage(error)
    this.state = undefined
    extras.timers?.cancelAll()
    if (this.endsNow) this.phase = 'new'
    else this.backOff(extras, retryIn)
    this.report({ error, during, failures: extras.failures, retryIn, ...message })
  }

  private report(failure: Omit<Failure, 'address' | 'family' | 'key'>): void {
    const { address, key, kind } = this
    const whole = { address, family: kind.family, key, ...failure }
    try {
      kind.supervision.report?.(whole)
    } catch (error) {
      kind.environment.log.error({ actor: address, err: error }, 'a supervision report failed')
    }
    kind.environment.failed(whole)
  }

  private failMessage(error: unknown): void {
    const { counters } = this.kind
    counters.processed++
    counters.failed++
    counters.queued--
    if (this.origin?.kind === 'ask') this.origin.fail('FAILED', error)
    this.message = undefined
    this.origin = undefined
  }

  private backOff(extras: Extras, retryIn: number): void {
    this.phase = 'backing-off'
    extras.restart = this.kind.environment.clock.after(retryIn, () => {
      extras.restart = undefined
      this.kind.counters.restarts++
      this.phase = 'new'
      this.kind.environment.dispatcher.schedule(this)
    })
  }

  // ---- the end

  /** Ends the actor after its queued messages; resolves when the actor has ended. */
  stop(): Promise<void> {
    if (this.phase === 'ended') return Promise.resolve()
    return new Promise((resolve) => this.requestStop(true).wait(resolve))
  }

  requestStop(drain: boolean): Ending {
    const extras = this.more()
    extras.ending ??= new Ending(drain)
    if (!drain) extras.ending.drain = false
    this.closed = true
    if (this.phase === 'backing-off' && this.endsNow) {
      extras.restart?.cancel()
      this.phase = 'new'
      this.kind.environment.dispatcher.schedule(this)
    } else this.wake()
    return extras.ending
  }

  /** Ends the actor at once, even during a message. */
  abandon(): void {
    if (this.phase === 'ended') return
    if (this.busy) this.drop('abandoned', this.message, this.origin)
    this.finish()
  }

  private end(): Promise<void> | undefined {
    const extras = this.more()
    extras.ending ??= new Ending(false)
    const { ending } = extras
    if (this.phase === 'running') ending.stopDue = true
    this.phase = 'ending'
    const { behaviour } = this.kind
    if (ending.stopDue && behaviour.stop !== undefined) return this.endWith(behaviour.stop.bind(behaviour), ending)
    this.finish()
    return undefined
  }

  private endWith(
    stop: (state: unknown, context: ActorContext<unknown>) => void | Promise<void>,
    ending: Ending,
  ): Promise<void> | undefined {
    ending.stopDue = false
    const failed = (error: unknown): void => this.report({ error, during: 'stop', failures: 1 })
    try {
      const pending = stop(this.state, this.context!)
      if (pending instanceof Promise) return pending.catch(failed).then(() => this.finish())
    } catch (error) {
      failed(error)
    }
    this.finish()
    return undefined
  }

  private finish(): void {
    if (this.phase === 'ended') return
    this.phase = 'ended'
    this.closed = true
    this.kind.counters.live--
    this.extras?.timers?.cancelAll()
    this.extras?.restart?.cancel()
    this.dropAll()
    this.state = undefined
    this.message = undefined
    this.origin = undefined
    this.ended(this)
    this.extras?.ending?.finish()
  }

  // ---- passivation

  /** Whether ending the instance would lose only its state. */
  get idle(): boolean {
    return this.phase === 'running' && !this.scheduled && !this.closed && !this.extras?.timers?.size
  }

  /** Ends an idle instance without a message; the actor continues to exist. */
  passivate<Compact>(compact: (state: unknown) => Compact): Compact {
    const kept = compact(this.state)
    this.phase = 'ended'
    this.closed = true
    this.state = undefined
    this.kind.counters.live--
    return kept
  }

  /** Sets the compact form as the state of a new instance. */
  wakeFrom(compact: unknown): void {
    this.phase = 'asleep'
    this.state = compact
  }

  // ---- methods for the actor's context

  get lastFailure(): unknown {
    const { extras } = this
    if (extras === undefined || extras.failures === 0) return undefined
    const { healthyAfter = 60_000 } = this.kind.supervision
    const healthy = this.phase === 'running' && this.kind.environment.clock.now() - extras.startedAt >= healthyAfter
    return healthy ? undefined : extras.lastFailure
  }

  /** The caller that waits for the reply to the current message. */
  askerOf(message: unknown): Asker | undefined {
    if (this.message !== message) throw new Error('Only the current message can be replied to')
    return this.origin?.kind === 'ask' ? this.origin : undefined
  }

  timers(): Timers {
    const extras = this.more()
    extras.timers ??= new Timers(this.kind.environment.clock, (message, timer) => this.timerFired(message, timer))
    return extras.timers
  }

  cancelTimer(key: string): void {
    this.extras?.timers?.cancel(key)
  }

  private more(): Extras {
    if (this.extras === undefined) {
      this.extras = new Extras()
      if (this.phase === 'running') this.extras.startedAt = Number.NEGATIVE_INFINITY
    }
    return this.extras
  }
}
