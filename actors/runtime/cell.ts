import type { Timer } from '../../src/base/clock.ts'
import type { ActorContext } from './behaviour.ts'
import type { Runnable } from './dispatcher.ts'
import { Ending } from './ending.ts'
import type { Kind } from './environment.ts'
import { Inbox } from './inbox.ts'
import type { Asker, Mark } from './mark.ts'
import type { StopOptions } from './reference.ts'
import { type Decision, decide, type Failure, failuresInARow, restartDelay } from './supervision.ts'
import { Timers } from './timers.ts'

type Phase =
  /** To be started, or started again. */
  | 'new'
  /** To be activated: the state is the compact form. */
  | 'asleep'
  | 'running'
  /** Failed, and waiting for its next start. */
  | 'backing-off'
  /** Waiting for children, or for the behaviour's `stop`. */
  | 'ending'
  | 'ended'

/** What few actors need, so that the others do not carry it. */
class Extras {
  parent: Cell | undefined
  children: Map<string, Cell> | undefined
  waitsForChildren = false
  timers: Timers | undefined
  /** What ends each watch, by the watched address. */
  watching: Map<string, () => void> | undefined
  /** Who was promised a reply for later. */
  deferred: Asker[] = []
  purgeAt = 16
  failures = 0
  lastFailure: unknown
  startedAt = 0
  restart: Timer | undefined
  ending: Ending | undefined
}

/**
 * The instance of an actor: its state, its mailbox, and where it is in its life.
 *
 * `scheduled` is what keeps it to one message at a time: it is set while the dispatcher has the actor, while a promise
 * of its behaviour is pending, while it backs off, and while it waits for children. Whoever clears the reason schedules.
 */
export class Cell extends Inbox implements Runnable {
  phase: Phase = 'new'
  /** The sweep of its family in which it was last busy. */
  epoch = 0
  /** Its place in the family's list of instances. */
  index = 0
  private state: unknown
  private scheduled = false
  /** A promise of `receive` is pending. */
  private busy = false
  private stashing = false
  private message: unknown
  private mark: Mark | undefined
  private context: ActorContext<unknown> | undefined
  private extras: Extras | undefined
  private readonly ended: (cell: Cell) => void

  constructor(kind: Kind, key: string, ended: (cell: Cell) => void, parent?: Cell) {
    super(kind, key)
    this.ended = ended
    kind.counters.live++
    if (parent === undefined) return
    this.more().parent = parent
    const extras = parent.more()
    extras.children ??= new Map()
    extras.children.set(key, this)
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
      const pending = this.handle(message, mailbox.mark)
      if (pending !== undefined) return pending
    }
    return this.endsNow ? this.end() : undefined
  }

  again(): boolean {
    if (this.phase === 'ended' || this.phase === 'backing-off' || this.extras?.waitsForChildren) return false
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
    if (this.mustWaitForChildren()) return undefined
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

  private handle(message: unknown, mark: Mark | undefined): Promise<void> | undefined {
    if (mark !== undefined && !this.isForBehaviour(mark)) return undefined
    this.message = message
    this.mark = mark
    try {
      // A running actor has a context.
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

  private isForBehaviour(mark: Mark): boolean {
    if (mark.kind === 'escalation') this.fail(mark.error, 'child')
    if (mark.kind !== 'timer' || this.extras?.timers?.taken(mark)) return mark.kind !== 'escalation'
    this.kind.counters.queued--
    this.kind.counters.coalesced++
    return false
  }

  private done(next: unknown): void {
    this.state = next
    const { kind, message, mark } = this
    this.message = undefined
    this.mark = undefined
    // Known now, and only now: a behaviour that gets this far has handled a message.
    if (kind.awaits === undefined) kind.awaits = false
    if (this.stashing) {
      this.stashing = false
      this.putAside(message, mark)
      return
    }
    kind.counters.processed++
    kind.counters.queued--
    if (mark?.kind === 'ask' && !mark.settled && !mark.deferred) mark.fail('NO_REPLY')
  }

  // ---- failure

  private fail(error: unknown, during: Failure['during']): void {
    const extras = this.more()
    const { environment, supervision } = this.kind
    const upFor = during === 'start' || during === 'activate' ? 0 : environment.clock.now() - extras.startedAt
    extras.failures = failuresInARow(supervision, extras.failures, upFor)
    extras.lastFailure = error
    const decision = this.decide(error, extras.failures)
    const retryIn = restartDelay(supervision, extras.failures, environment.random)
    const message = during === 'receive' ? { message: this.message } : {}
    const failure = { ...this.identity, error, during, failures: extras.failures, decision, ...message }
    if (during === 'receive' || during === 'child') this.failMessage(error)
    this.forget(extras, error)
    if (decision !== 'restart') this.endFailed(error, decision)
    else if (this.endsNow) this.phase = 'new'
    else this.backOff(extras, retryIn)
    this.report(decision === 'restart' ? { ...failure, retryIn } : failure)
  }

  private get identity() {
    const { address, key, kind } = this
    return { address, family: kind.prefix.slice(0, -1), key }
  }

  private decide(error: unknown, failures: number): Decision {
    try {
      return decide(this.kind.supervision, error, failures)
    } catch (thrown) {
      this.kind.environment.log.error({ address: this.address, err: thrown }, 'a supervision decision failed')
      return 'restart'
    }
  }

  private report(failure: Failure): void {
    try {
      this.kind.supervision.report?.(failure)
    } catch (error) {
      this.kind.environment.log.error({ address: this.address, err: error }, 'a supervision report failed')
    }
    this.kind.environment.failed(failure)
  }

  private failMessage(error: unknown): void {
    const { counters } = this.kind
    counters.processed++
    counters.failed++
    counters.queued--
    if (this.mark?.kind === 'ask') this.mark.fail('FAILED', error)
    this.message = undefined
    this.mark = undefined
    this.stashing = false
  }

  /** Lets go of everything that belonged to the state that is lost. */
  private forget(extras: Extras, error: unknown): void {
    this.state = undefined
    for (const asker of extras.deferred.splice(0)) asker.fail('FAILED', error)
    extras.timers?.cancelAll()
    this.unstash()
    this.unwatchAll()
    for (const child of [...(extras.children?.values() ?? [])]) child.requestStop(false)
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

  private endFailed(error: unknown, decision: Decision): void {
    this.closed = true
    this.phase = 'ending'
    const extras = this.more()
    extras.ending ??= new Ending(false)
    Object.assign(extras.ending, { drain: false, why: 'failed', error })
    if (decision !== 'escalate') return
    if (extras.parent === undefined) this.kind.environment.escalated(this.address, error)
    else extras.parent.signal(undefined, { kind: 'escalation', error })
  }

  // ---- the end

  /** Ends it; resolves when it has ended. */
  stop({ drain = true, within = 30_000 }: StopOptions = {}): Promise<void> {
    if (this.phase === 'ended') return Promise.resolve()
    return new Promise((resolve) => {
      const ending = this.requestStop(drain)
      ending.wait(resolve)
      ending.limit(this.kind.environment.clock, within, () => this.abandon())
    })
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

  /** Ends it at once, with whatever it has in hand. */
  abandon(): void {
    if (this.phase === 'ended') return
    for (const child of [...(this.extras?.children?.values() ?? [])]) child.abandon()
    if (this.busy) this.drop('abandoned', this.message, this.mark)
    this.finish()
  }

  private end(): Promise<void> | undefined {
    const extras = this.more()
    extras.ending ??= new Ending(false)
    const { ending } = extras
    if (this.phase === 'running') ending.stopDue = true
    this.phase = 'ending'
    for (const child of extras.children?.values() ?? []) child.requestStop(ending.drain)
    if (this.mustWaitForChildren()) return undefined
    const { behaviour } = this.kind
    if (!ending.stopDue || behaviour.stop === undefined) {
      this.finish()
      return undefined
    }
    return this.endWith(behaviour.stop.bind(behaviour), ending)
  }

  private endWith(
    stop: (state: unknown, context: ActorContext<unknown>) => void | Promise<void>,
    ending: Ending,
  ): Promise<void> | undefined {
    ending.stopDue = false
    const failed = (error: unknown): void =>
      this.report({ ...this.identity, error, during: 'stop', failures: 1, decision: 'stop' })
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
    const { kind, address } = this
    kind.counters.live--
    this.extras?.timers?.cancelAll()
    this.extras?.restart?.cancel()
    for (const asker of this.extras?.deferred.splice(0) ?? []) asker.fail('STOPPED')
    this.unwatchAll()
    this.dropAll()
    this.state = undefined
    this.message = undefined
    this.mark = undefined
    const { ending, parent } = this.extras ?? {}
    this.ended(this)
    parent?.childEnded(this.key)
    const error = ending?.error === undefined ? {} : { error: ending.error }
    kind.environment.watches.notify({ address, why: ending?.why ?? 'stopped', ...error })
    ending?.finish()
  }

  private mustWaitForChildren(): boolean {
    const { extras } = this
    if (extras?.children === undefined || extras.children.size === 0) return false
    extras.waitsForChildren = true
    return true
  }

  private childEnded(key: string): void {
    const { extras } = this
    extras?.children?.delete(key)
    if (!extras?.waitsForChildren || extras.children?.size !== 0) return
    extras.waitsForChildren = false
    this.kind.environment.dispatcher.schedule(this)
  }

  // ---- passivation

  /** Whether nothing but its state would be lost with the instance. */
  get idle(): boolean {
    return this.phase === 'running' && !this.scheduled && !this.closed && !this.holdsMore()
  }

  private holdsMore(): boolean {
    if (this.stashed !== undefined && this.stashed.length > 0) return true
    if (this.extras === undefined) return false
    const { timers, children, watching, deferred } = this.extras
    if ((timers?.size ?? 0) + (children?.size ?? 0) + (watching?.size ?? 0) > 0) return true
    return deferred.some(({ settled }) => !settled)
  }

  /** Ends an idle instance without a word to anyone: the actor goes on without it. */
  passivate<Compact>(compact: (state: unknown) => Compact): Compact {
    const kept = compact(this.state)
    this.phase = 'ended'
    this.closed = true
    this.state = undefined
    this.kind.counters.live--
    return kept
  }

  /** Gives a new instance the compact form to start from. */
  wakeFrom(compact: unknown): void {
    this.phase = 'asleep'
    this.state = compact
  }

  // ---- what its context does

  get lastFailure(): unknown {
    const { extras } = this
    if (extras === undefined || extras.failures === 0) return undefined
    const { healthyAfter = 60_000 } = this.kind.supervision
    const healthy = this.phase === 'running' && this.kind.environment.clock.now() - extras.startedAt >= healthyAfter
    return healthy ? undefined : extras.lastFailure
  }

  /** Who waits for the reply to the message in hand. */
  askerOf(message: unknown): Asker | undefined {
    if (this.message !== message) throw new Error('Only the message in hand can be replied to: see replyLater')
    return this.mark?.kind === 'ask' ? this.mark : undefined
  }

  /** The asker of the message in hand will have its reply later. */
  defer(asker: Asker): void {
    asker.deferred = true
    const extras = this.more()
    extras.deferred.push(asker)
    // Only when the list has doubled, so that a promise costs the same however many there are.
    if (extras.deferred.length < extras.purgeAt) return
    extras.deferred = extras.deferred.filter(({ settled }) => !settled)
    extras.purgeAt = Math.max(16, extras.deferred.length * 2)
  }

  /** The message in hand is to be put aside when `receive` returns. */
  stash(): void {
    this.stashing = true
  }

  timers(): Timers {
    const extras = this.more()
    extras.timers ??= new Timers(this.kind.environment.clock, (message, timer) => this.signal(message, timer))
    return extras.timers
  }

  watch(address: string, end: () => void): void {
    const extras = this.more()
    extras.watching ??= new Map()
    extras.watching.set(address, end)
  }

  watchEnded(address: string): void {
    this.extras?.watching?.delete(address)
  }

  unwatch(address: string): void {
    const watching = this.extras?.watching
    watching?.get(address)?.()
    watching?.delete(address)
  }

  private unwatchAll(): void {
    for (const address of [...(this.extras?.watching?.keys() ?? [])]) this.unwatch(address)
  }

  child(key: string): Cell | undefined {
    return this.extras?.children?.get(key)
  }

  private more(): Extras {
    if (this.extras === undefined) {
      this.extras = new Extras()
      if (this.phase === 'running') this.extras.startedAt = Number.NEGATIVE_INFINITY
    }
    return this.extras
  }
}
