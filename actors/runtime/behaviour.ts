import type { WallMs } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import type { Reference } from './reference.ts'
import type { ReplyOf, RequestsOf } from './request.ts'

/**
 * What an actor does. `receive` gets the state and a message and returns the next state, one message at a time. Throwing
 * is a failure: supervision reports it, waits, and has `start` build a new state; the message is not handled again.
 *
 * A behaviour that returns a promise holds one of the dispatcher's places until it resolves, so what it awaits must have
 * a time limit of its own.
 */
export interface Behaviour<State, Message> {
  /** Builds the state from what holds the truth: at first, and after each failure. */
  start(context: ActorContext<Message>): State | Promise<State>
  receive(state: State, message: Message, context: ActorContext<Message>): State | Promise<State>
  /** Called when the actor ends in good order, with its last state. Not called after a failure. */
  stop?(state: State, context: ActorContext<Message>): void | Promise<void>
}

/** What an actor has at hand. It stays the same object for the life of the instance. */
export interface ActorContext<Message> {
  readonly self: Reference<Message>
  readonly address: string
  /** Which actor of its family it is. */
  readonly key: string
  /** What made this actor fail the last time, for `start` to look at; undefined once it has been healthy. */
  readonly lastFailure: unknown
  readonly log: Logger
  /** Milliseconds, by the system's monotonic clock: for durations. */
  now(): number
  /** The time of day: for what is printed, and for time stamps of the API server. */
  wall(): WallMs
  /** A number in [0, 1), by the system's source of randomness. */
  random(): number

  /**
   * Replies to the request in hand.
   * @returns false if no reply is waited for: it came with `tell`, or its time is over
   */
  reply<Sent extends RequestsOf<Message>>(message: Sent, value: ReplyOf<Sent>): boolean

  /** Sends the message to this actor after `delay` milliseconds, from 0. It replaces the timer of the same key. */
  after(key: string, delay: number, message: Message): void
  /** Takes a timer back. If its message waits in the mailbox already it will not be handled. A failure or the end cancels all. */
  cancel(key: string): void

  /** Ends this actor when the message in hand is done. What is queued then becomes dead letters. */
  stop(): void
}

/** For the `default` of a switch over message types: a new message does not compile until it has a case. */
export function assertNever(message: never): never {
  throw new TypeError(`A message of an unknown type: ${JSON.stringify(message)}`)
}
