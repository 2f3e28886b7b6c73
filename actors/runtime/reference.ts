import { type Deadlines, PendingAsk } from './ask.ts'
import { checkAboveZero } from './limits.ts'
import type { Origin } from './origin.ts'
import type { ReplyTo, RequestsOf } from './request.ts'

export interface AskOptions {
  /** Timeout for the reply, in milliseconds: a finite number greater than 0. Default 5,000. */
  readonly timeout?: number
}

export interface StopOptions {
  /** Milliseconds after which an actor ends even during a message; Infinity waits forever. Default 30,000. */
  readonly within?: number
}

/** The interface through which callers use an actor. It is the same on any thread, and before the actor exists. */
export interface Reference<Message> {
  /** `family/key`. */
  readonly address: string
  /**
   * Sends a message. Messages from one sender to one receiver keep their order.
   * @returns false if the message became a dead letter; for an actor on another thread: if the message was not sent
   */
  tell(message: Message): boolean
  /**
   * Sends a request and waits for its reply. An actor that awaits a reply takes no message meanwhile, so two actors
   * that ask each other wait until the timeout.
   * @throws {AskError}, or {RangeError} if the timeout is invalid and nothing was sent (both as rejections)
   */
  ask<Sent extends RequestsOf<Message>>(message: Sent, options?: AskOptions): Promise<ReplyTo<Message, Sent>>
}

/** The common part of all references; each kind of reference defines its delivery. */
export abstract class AnyReference<Message = unknown> implements Reference<Message> {
  private readonly deadlines: Deadlines

  constructor(deadlines: Deadlines) {
    this.deadlines = deadlines
  }

  abstract readonly address: string
  /** Whether another actor may have the address by now. */
  abstract readonly stale: boolean
  /** Delivers a message, or makes it a dead letter and returns false; a request is then settled. */
  abstract deliver(message: unknown, origin: Origin | undefined): boolean

  tell(message: Message): boolean {
    return this.deliver(message, undefined)
  }

  ask<Sent extends RequestsOf<Message>>(message: Sent, options?: AskOptions): Promise<ReplyTo<Message, Sent>> {
    return new Promise<unknown>((resolve, reject) => {
      const timeout = options?.timeout ?? 5_000
      checkAboveZero('The time limit of an ask', timeout)
      const ask = new PendingAsk(this.address, resolve, reject)
      this.deadlines.add(ask, timeout)
      this.deliver(message, ask)
    }) as Promise<ReplyTo<Message, Sent>>
  }
}
