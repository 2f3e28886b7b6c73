import { type Deadlines, PendingAsk } from './ask.ts'
import { checkAboveZero, checkFromZeroOrForever } from './limits.ts'
import type { Mark } from './mark.ts'
import type { ReplyTo, RequestsOf } from './request.ts'
import type { WatchListener } from './watches.ts'

export interface AskOptions {
  /** How long to wait for the reply, in milliseconds: a finite number above 0. 5,000 unless given. */
  readonly timeout?: number
}

export interface StopOptions {
  /** Handle what is in the mailbox first. True unless given; false makes dead letters of it. */
  readonly drain?: boolean
  /**
   * After this many milliseconds the actor ends even in the middle of a message; with Infinity it is waited for without
   * end. 30,000 unless given.
   */
  readonly within?: number
}

/** All that others know of an actor. It works the same wherever the actor lives, and whether it exists yet or not. */
export interface Reference<Message> {
  /** The actor's name; `family/key` for an actor of a family, `parent/name` for a child. */
  readonly address: string
  /**
   * Sends a message. From one sender to one receiver messages keep their order.
   * @returns false if it was not taken and became a dead letter. For an actor on another thread: if it was not sent.
   */
  tell(message: Message): boolean
  /**
   * Sends a request and waits for its reply. An actor that awaits another one's reply takes no message meanwhile; two
   * that do so to each other wait until the time limit. Rather let the other actor tell back.
   * @throws {AskError} (as rejection)
   * @throws {RangeError} (as rejection) if the time limit is none; nothing is sent then
   */
  ask<Sent extends RequestsOf<Message>>(message: Sent, options?: AskOptions): Promise<ReplyTo<Message, Sent>>
  /**
   * Calls back once, when the actor has ended and after everything that it told before. Passivation and restarts are
   * no end. Actors use `context.watch`, which makes a message of it.
   * @returns a function that ends the watch
   */
  watch(listener: WatchListener): () => void
  /**
   * Ends the actor. Resolves when it has ended; watchers are told then. An actor of a family starts anew with its next
   * message.
   * @throws {RangeError} (as rejection) if `within` is no time; nothing is stopped then
   */
  stop(options?: StopOptions): Promise<void>
}

/** What all kinds of reference share: each says how it delivers, watches and stops. */
export abstract class AnyReference<Message = unknown> implements Reference<Message> {
  private readonly deadlines: Deadlines

  constructor(deadlines: Deadlines) {
    this.deadlines = deadlines
  }

  abstract readonly address: string
  /** Whether another actor may have the address by now. */
  abstract readonly stale: boolean
  /** Takes a message, or makes a dead letter of it and returns false; an ask's mark is settled then. */
  abstract deliver(message: unknown, mark: Mark | undefined): boolean
  abstract watch(listener: WatchListener): () => void
  /** `stop`, with options that are in order. */
  protected abstract end(options: StopOptions | undefined): Promise<void>

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

  async stop(options?: StopOptions): Promise<void> {
    if (options?.within !== undefined) checkFromZeroOrForever('The time to stop', options.within)
    await this.end(options)
  }
}
