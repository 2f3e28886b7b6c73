import type { DeadLetterReason } from './dead-letters.ts'
import { askErrorCodes, type Kind } from './environment.ts'
import type { Mailbox } from './mailbox.ts'
import type { Origin } from './origin.ts'

/**
 * The receiving part of an actor: accepts messages or makes them dead letters, and counts them. Each message counts as
 * sent on arrival, as queued until it is handled, and then as processed, coalesced or a dead letter.
 */
export abstract class Inbox {
  readonly kind: Kind
  readonly key: string
  protected mailbox: Mailbox | undefined
  /** The actor accepts no messages, because it is ending or has ended. */
  protected closed = false

  constructor(kind: Kind, key: string) {
    this.kind = kind
    this.key = key
  }

  get address(): string {
    return this.kind.prefix + this.key
  }

  /** Makes sure that the actor gets a turn. */
  abstract wake(): void

  /** Accepts a message, or makes it a dead letter. */
  deliver(message: unknown, origin: Origin | undefined): boolean {
    const { counters, mailbox: policy } = this.kind
    const key = origin === undefined ? policy.coalesce?.(message) : undefined
    counters.sent++
    if (this.closed) return this.refuse('stopped', message, origin)
    const mailbox = this.mailbox ?? this.openMailbox()
    if (key !== undefined && mailbox.replace(key, message)) {
      counters.coalesced++
      return true
    }
    const waiting = mailbox.size
    if (waiting >= policy.capacity) return this.refuse('mailbox-full', message, origin)
    if (key === undefined) mailbox.push(message, origin)
    else mailbox.pushKeyed(message, key)
    counters.queued++
    if (waiting >= counters.deepest) counters.deepest = waiting + 1
    this.wake()
    return true
  }

  /** Accepts the message of a timer. The message always fits, because each key has one timer. */
  protected timerFired(message: unknown, origin: Origin): void {
    const mailbox = this.mailbox ?? this.openMailbox()
    this.kind.counters.sent++
    mailbox.push(message, origin)
    this.kind.counters.queued++
    this.wake()
  }

  protected get waiting(): boolean {
    return this.mailbox !== undefined && this.mailbox.size > 0
  }

  /** Returns the empty mailbox to the pool. */
  protected closeMailbox(): void {
    if (this.mailbox !== undefined) this.kind.environment.mailboxes.give(this.mailbox)
    this.mailbox = undefined
  }

  /** Makes a dead letter of a queued message. */
  protected drop(reason: DeadLetterReason, message: unknown, origin: Origin | undefined): void {
    this.kind.counters.queued--
    this.refuse(reason, message, origin)
  }

  /** Makes dead letters of all queued messages. */
  protected dropAll(): void {
    const { mailbox } = this
    while (mailbox !== undefined && mailbox.size > 0) {
      const message = mailbox.take()
      this.drop('stopped', message, mailbox.origin)
    }
    this.closeMailbox()
  }

  private openMailbox(): Mailbox {
    this.mailbox = this.kind.environment.mailboxes.take(this.kind.mailbox)
    return this.mailbox
  }

  private refuse(reason: DeadLetterReason, message: unknown, origin: Origin | undefined): false {
    const { environment, counters } = this.kind
    environment.deadLetters.add(reason, this.address, message, counters)
    if (origin?.kind === 'ask') origin.fail(askErrorCodes[reason])
    return false
  }
}
