import type { WallMs } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import type { Reference } from './reference.ts'
import type { ReplyOf, RequestsOf } from './request.ts'

/**
 * The behaviour of an actor: `receive` gets the state and one message, and returns the next state. After a thrown
 * error, `start` builds a new state, and the message is not handled again. A returned promise takes one of the
 * dispatcher's places until it resolves, so each awaited call needs a timeout.
 */
export interface Behaviour<State, Message> {
  /** Builds the state from the source of truth, initially and after each failure. */
  start(context: ActorContext<Message>): State | Promise<State>
  receive(state: State, message: Message, context: ActorContext<Message>): State | Promise<State>
  /** Called with the last state when the actor ends normally. Not called after a failure. */
  stop?(state: State, context: ActorContext<Message>): void | Promise<void>
}

/** The interface of an actor to the actor system. It is the same object during the life of the instance. */
export interface ActorContext<Message> {
  readonly self: Reference<Message>
  readonly address: string
  /** The actor's key within its family. */
  readonly key: string
  /** The error of the last failure, for `start`; undefined once the actor has been healthy. */
  readonly lastFailure: unknown
  readonly log: Logger
  /** Milliseconds by the system's monotonic clock, for durations. */
  now(): number
  /** The wall-clock time, for output and for comparison with time stamps of the API server. */
  wall(): WallMs
  /** A number in [0, 1) from the system's source of randomness. */
  random(): number

  /**
   * Replies to the current request.
   * @returns false if no caller waits: the message came with `tell`, or the caller's timeout is over
   */
  reply<Sent extends RequestsOf<Message>>(message: Sent, value: ReplyOf<Sent>): boolean

  /** Sends the message to this actor after `delay` milliseconds (0 or more). Replaces the timer of the same key. */
  after(key: string, delay: number, message: Message): void
  /**
   * Cancels a timer. The actor skips the timer's message even if it is already in the mailbox. A failure or the end of
   * the actor cancels all timers.
   */
  cancel(key: string): void

  /** Ends this actor after the current message. Queued messages become dead letters. */
  stop(): void
}

/** For the `default` case of a switch over message types: TypeScript refuses a new message type that has no case. */
export function assertNever(message: never): never {
  throw new TypeError(`A message of an unknown type: ${JSON.stringify(message)}`)
}
