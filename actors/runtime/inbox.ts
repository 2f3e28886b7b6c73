import type { DeadLetterReason } from './dead-letters.ts'
import { askErrorCodes, type Kind } from './environment.ts'
import type { Mailbox } from './mailbox.ts'
import { type Mark, news } from './mark.ts'

interface Stashed {
  readonly message: unknown
  readonly mark: Mark | undefined
}

/**
 * The part of an actor that takes messages in, or makes dead letters of them, and keeps the counts. Each message is
 * counted as sent when it comes, as queued until it is done, and then as processed, coalesced or a dead letter.
 */
export abstract class Inbox {
  readonly kind: Kind
  readonly key: string
  protected mailbox: Mailbox | undefined
  /** It takes no more messages: it ends, or has ended. */
  protected closed = false
  /** Messages that were put aside, made with the first one. */
  protected stashed: Stashed[] | undefined

  constructor(kind: Kind, key: string) {
    this.kind = kind
    this.key = key
  }

  get address(): string {
    return this.kind.prefix + this.key
  }

  /** Sees to it that it gets a turn. */
  abstract wake(): void

  /** Takes a message, or makes a dead letter of it. */
  deliver(message: unknown, mark: Mark | undefined): boolean {
    const { counters, mailbox: policy } = this.kind
    const key = mark === undefined ? policy.coalesce?.(message) : undefined
    counters.sent++
    if (this.closed) return this.refuse('stopped', message, mark)
    const mailbox = this.mailbox ?? this.openMailbox()
    if (key !== undefined && mailbox.replace(key, message)) {
      counters.coalesced++
      return true
    }
    const waiting = mailbox.size + (this.stashed === undefined ? 0 : this.stashed.length)
    if (waiting >= policy.capacity && !this.makeRoom()) return this.refuse('mailbox-full', message, mark)
    if (key === undefined) mailbox.push(message, mark)
    else mailbox.pushKeyed(message, key)
    counters.queued++
    if (waiting >= counters.deepest) counters.deepest = waiting + 1
    this.wake()
    return true
  }

  /** Takes a message of the runtime itself: a timer's, news, an escalation. There is always room: each has one source. */
  signal(message: unknown, mark: Mark): void {
    this.kind.counters.sent++
    if (this.closed && this.mailbox === undefined) {
      this.refuse('stopped', message, mark)
      return
    }
    const mailbox = this.mailbox ?? this.openMailbox()
    mailbox.push(message, mark)
    this.kind.counters.queued++
    this.wake()
  }

  protected openMailbox(): Mailbox {
    this.mailbox = this.kind.environment.mailboxes.take(this.kind.mailbox)
    return this.mailbox
  }

  protected get waiting(): boolean {
    return this.mailbox !== undefined && this.mailbox.size > 0
  }

  /** Gives the empty mailbox back, for another actor to use. */
  protected closeMailbox(): void {
    if (this.mailbox !== undefined) this.kind.environment.mailboxes.give(this.mailbox)
    this.mailbox = undefined
  }

  private makeRoom(): boolean {
    if (!this.kind.mailbox.dropOldest) return false
    const oldest = this.stashed?.shift()
    if (oldest !== undefined) this.drop('dropped-oldest', oldest.message, oldest.mark)
    else this.mailbox?.dropOldest((message, mark) => this.drop('dropped-oldest', message, mark))
    return true
  }

  private refuse(reason: DeadLetterReason, message: unknown, mark: Mark | undefined): false {
    const { environment, counters } = this.kind
    environment.deadLetters.add(reason, this.address, message, counters)
    if (mark?.kind === 'ask') mark.fail(askErrorCodes[reason])
    return false
  }

  /** Refuses what had been taken already. */
  protected drop(reason: DeadLetterReason, message: unknown, mark: Mark | undefined): void {
    this.kind.counters.queued--
    this.refuse(reason, message, mark)
  }

  /** Makes dead letters of everything that waits. */
  protected dropAll(): void {
    for (const { message, mark } of this.stashed?.splice(0) ?? []) this.drop('stopped', message, mark)
    const { mailbox } = this
    while (mailbox !== undefined && mailbox.size > 0) {
      const message = mailbox.take()
      this.drop('stopped', message, mailbox.mark)
    }
    this.closeMailbox()
  }

  /** Puts a message aside. One that a timer sent is from now on a message like any other. */
  protected putAside(message: unknown, mark: Mark | undefined): void {
    this.stashed ??= []
    this.stashed.push({ message, mark: mark?.kind === 'timer' ? news : mark })
  }

  /** Puts everything that was put aside back in front, in its order. */
  unstash(): void {
    const stashed = this.stashed?.splice(0) ?? []
    if (stashed.length === 0) return
    const mailbox = this.mailbox ?? this.openMailbox()
    for (const { message, mark } of stashed.reverse()) mailbox.unshift(message, mark)
  }
}
