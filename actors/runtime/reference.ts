import { type Deadlines, PendingAsk } from './ask.ts'
import { checkAboveZero } from './limits.ts'
import type { Origin } from './origin.ts'
import type { ReplyTo, RequestsOf } from './request.ts'

export interface AskOptions {
  /** How long to wait for the reply, in milliseconds: a finite number above 0. 5,000 unless given. */
  readonly timeout?: number
}

export interface StopOptions {
  /**
   * After this many milliseconds actors end even in the middle of a message; with Infinity they are waited for without
   * end. 30,000 unless given.
   */
  readonly within?: number
}

/** All that others know of an actor. It works the same wherever the actor lives, and whether it exists yet or not. */
export interface Reference<Message> {
  /** `family/key`. */
  readonly address: string
  /**
   * Sends a message. From one sender to one receiver messages keep their order.
   * @returns false if it was not taken and became a dead letter. For an actor on another thread: if it was not sent.
   */
  tell(message: Message): boolean
  /**
   * Sends a request and waits for its reply. An actor that awaits another one's reply takes no message meanwhile; two
   * that do so to each other wait until the time limit.
   * @throws {AskError} (as rejection)
   * @throws {RangeError} (as rejection) if the time limit is none; nothing is sent then
   */
  ask<Sent extends RequestsOf<Message>>(message: Sent, options?: AskOptions): Promise<ReplyTo<Message, Sent>>
}

/** What all kinds of reference share: each says how it delivers. */
export abstract class AnyReference<Message = unknown> implements Reference<Message> {
  private readonly deadlines: Deadlines

  constructor(deadlines: Deadlines) {
    this.deadlines = deadlines
  }

  abstract readonly address: string
  /** Whether another actor may have the address by now. */
  abstract readonly stale: boolean
  /** Takes a message, or makes a dead letter of it and returns false; an ask is settled then. */
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
