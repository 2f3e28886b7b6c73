import type { Clock, Timer } from '../../src/base/clock.ts'

/** Why a request got no reply. */
export type AskErrorCode =
  /** The actor did not reply in time. It may still handle the message. */
  | 'TIMEOUT'
  /** The mailbox was full, or a newer message replaced this message. */
  | 'MAILBOX_FULL'
  /** The actor stopped before it handled the message. */
  | 'STOPPED'
  /** The actor failed on this message; `cause` is the error. */
  | 'FAILED'
  /** The actor handled the message and gave no reply. */
  | 'NO_REPLY'
  /** No actor has the address. */
  | 'UNKNOWN_ADDRESS'
  /** Too many messages are on the way to the actor's thread. */
  | 'LINK_FULL'
  /** The actor's thread died. */
  | 'THREAD_DIED'
  /** The message or the reply cannot be cloned for another thread. */
  | 'NOT_CLONABLE'

/** The rejection of an ask's promise. */
export class AskError extends Error {
  override readonly name = 'AskError'
  readonly code: AskErrorCode
  /** The actor that was asked. */
  readonly address: string

  constructor(code: AskErrorCode, address: string, cause?: unknown) {
    super(`ask ${address}: ${code}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.address = address
  }
}

/** A pending request of this thread. It is an element of the linked list of requests with the same timeout. */
export class PendingAsk {
  readonly kind = 'ask'
  settled = false
  due = 0
  list: DeadlineList | undefined
  previous: PendingAsk | undefined
  next: PendingAsk | undefined
  private readonly address: string
  private readonly resolve: (value: unknown) => void
  private readonly reject: (error: AskError) => void

  constructor(address: string, resolve: (value: unknown) => void, reject: (error: AskError) => void) {
    this.address = address
    this.resolve = resolve
    this.reject = reject
  }

  answer(value: unknown): void {
    if (this.settled) return
    this.settle()
    this.resolve(value)
  }

  fail(code: AskErrorCode, cause?: unknown): void {
    if (this.settled) return
    this.settle()
    this.reject(new AskError(code, this.address, cause))
  }

  private settle(): void {
    this.settled = true
    this.list?.remove(this)
  }
}

/**
 * Requests with one timeout, oldest first: the first request always expires next, so one timer serves all. The timer
 * stays set when the list becomes empty: setting a timer for each request would cost more than the request.
 */
class DeadlineList {
  private readonly clock: Clock
  private readonly limit: number
  private readonly emptied: () => void
  private first: PendingAsk | undefined
  private last: PendingAsk | undefined
  private timer: Timer | undefined

  constructor(clock: Clock, limit: number, emptied: () => void) {
    this.clock = clock
    this.limit = limit
    this.emptied = emptied
  }

  add(ask: PendingAsk): void {
    ask.list = this
    ask.due = this.clock.now() + this.limit
    ask.previous = this.last
    if (this.last === undefined) this.first = ask
    else this.last.next = ask
    this.last = ask
    this.timer ??= this.clock.after(this.limit, this.expire)
  }

  remove(ask: PendingAsk): void {
    ask.list = undefined
    if (ask.previous === undefined) this.first = ask.next
    else ask.previous.next = ask.next
    if (ask.next === undefined) this.last = ask.previous
    else ask.next.previous = ask.previous
    ask.previous = undefined
    ask.next = undefined
  }

  cancel(): void {
    this.timer?.cancel()
    this.timer = undefined
  }

  private readonly expire = (): void => {
    const now = this.clock.now()
    this.timer = undefined
    while (this.first !== undefined && this.first.due <= now) this.first.fail('TIMEOUT')
    if (this.first === undefined) this.emptied()
    else this.timer = this.clock.after(this.first.due - now, this.expire)
  }
}

/** The timeouts of all pending asks. */
export class Deadlines {
  private readonly clock: Clock
  private readonly lists = new Map<number, DeadlineList>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  add(ask: PendingAsk, limit: number): void {
    let list = this.lists.get(limit)
    if (list === undefined) {
      // Remove a list that is empty when its timer fires, so that lists of computed timeouts do not accumulate.
      list = new DeadlineList(this.clock, limit, () => this.lists.delete(limit))
      this.lists.set(limit, list)
    }
    list.add(ask)
  }

  /** Number of different timeouts in use. */
  get size(): number {
    return this.lists.size
  }

  /** Cancels all timers; pending asks stay pending. */
  cancel(): void {
    for (const list of this.lists.values()) list.cancel()
  }
}
