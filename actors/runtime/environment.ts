import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import type { Random } from '../../src/base/random.ts'
import type { AskErrorCode, Deadlines } from './ask.ts'
import type { ActorContext, Behaviour } from './behaviour.ts'
import type { Counters } from './counters.ts'
import type { DeadLetterReason, DeadLetters } from './dead-letters.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { MailboxPolicy, MailboxPool } from './mailbox.ts'
import type { AnyReference } from './reference.ts'
import type { Failure, Supervision } from './supervision.ts'

/** Objects that the parts of one actor system share. */
export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly dispatcher: Dispatcher
  readonly deadLetters: DeadLetters
  readonly deadlines: Deadlines
  readonly mailboxes: MailboxPool
  /** Called with every failure of every actor. */
  failed(failure: Failure): void
  /** Finds the actor of an address. For an unknown address, returns a reference that refuses all messages. */
  lookup(address: string): AnyReference
}

/** Objects that the actors of one family share. */
export interface Kind {
  readonly environment: Environment
  readonly family: string
  /** The part of an address before the actor's key. */
  readonly prefix: string
  readonly behaviour: Behaviour<unknown, unknown>
  readonly mailbox: MailboxPolicy
  readonly supervision: Supervision
  readonly counters: Counters
  awaits: boolean | undefined
  /** Number of the family's current sweep for idle actors. */
  epoch: number
  contextOf(actor: unknown): ActorContext<unknown>
  /** Builds the state of a passivated actor from its compact form. */
  activate?(compact: unknown, key: string): unknown
}

/** The error code of a request whose message became a dead letter. */
export const askErrorCodes: Readonly<Record<DeadLetterReason, AskErrorCode>> = {
  'mailbox-full': 'MAILBOX_FULL',
  stopped: 'STOPPED',
  'unknown-address': 'UNKNOWN_ADDRESS',
  abandoned: 'STOPPED',
  'link-full': 'LINK_FULL',
  'thread-died': 'THREAD_DIED',
  'not-clonable': 'NOT_CLONABLE',
}
