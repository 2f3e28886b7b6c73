import { checkCount } from './limits.ts'
import type { Mark } from './mark.ts'

export interface MailboxOptions<Message = unknown> {
  /** The most messages that wait at once, stashed ones included: a whole number from 1. 1,000 unless given. */
  readonly capacity?: number
  /**
   * What becomes of a message that finds the mailbox full. `reject`: it is not taken, and its sender is told.
   * `drop-oldest`: it is taken, and the oldest one that waits is dropped. Either way one dead letter is counted.
   */
  readonly whenFull?: 'reject' | 'drop-oldest'
  /**
   * The key of a level-triggered message, undefined for any other. While a message of the key waits, a newer one
   * replaces it in its place, full mailbox or not. Asked messages have a reply to give, so they are never replaced.
   */
  coalesce?(message: Message): string | number | undefined
}

export type Key = string | number

/** `MailboxOptions` with every default filled in. */
export interface MailboxPolicy {
  readonly capacity: number
  readonly dropOldest: boolean
  readonly coalesce: ((message: unknown) => Key | undefined) | undefined
}

export function mailboxPolicy<Message>(options: MailboxOptions<Message> = {}): MailboxPolicy {
  const { capacity = 1_000, whenFull = 'reject' } = options
  checkCount('The capacity of a mailbox', capacity)
  const untyped = options as MailboxOptions
  return {
    capacity,
    dropOldest: whenFull === 'drop-oldest',
    coalesce: options.coalesce === undefined ? undefined : (message) => untyped.coalesce?.(message),
  }
}

const SMALLEST = 8
/** A larger one is not kept for the next actor. */
const LARGEST_KEPT = 1_024
/** So many are kept: as many actors as are busy at once in most systems. */
const KEPT = 1_024

/**
 * The messages that wait for one actor, in order: a circular array with two slots a message, for it and its mark.
 * Positions count up for ever (down, for what is put back in front); the slot is the position modulo the size.
 */
export class Mailbox {
  private slots: unknown[] = new Array(SMALLEST * 2).fill(undefined)
  private mask = SMALLEST - 1
  private head = 0
  private tail = 0
  /** Where the newest waiting message of each key is. */
  private keys: Map<Key, number> | undefined
  private coalesce: MailboxPolicy['coalesce']
  /** The mark of the message that was taken last. */
  mark: Mark | undefined

  get size(): number {
    return this.tail - this.head
  }

  get reusable(): boolean {
    return this.mask < LARGEST_KEPT
  }

  /** Readies an empty mailbox for an actor. */
  open(policy: MailboxPolicy): void {
    this.coalesce = policy.coalesce
    this.mark = undefined
    this.keys = undefined
    this.head = 0
    this.tail = 0
  }

  /** Replaces the waiting message of the key, if there is one. */
  replace(key: Key, message: unknown): boolean {
    const position = this.keys?.get(key)
    if (position === undefined) return false
    this.slots[(position & this.mask) << 1] = message
    return true
  }

  push(message: unknown, mark: Mark | undefined): void {
    if (this.tail - this.head > this.mask) this.grow()
    const slot = (this.tail++ & this.mask) << 1
    this.slots[slot] = message
    this.slots[slot + 1] = mark
  }

  pushKeyed(message: unknown, key: Key): void {
    this.push(message, undefined)
    this.keys ??= new Map()
    this.keys.set(key, this.tail - 1)
  }

  /** Puts a message back in front of all others. It is not replaced any more: a newer one of its key comes after it. */
  unshift(message: unknown, mark: Mark | undefined): void {
    if (this.tail - this.head > this.mask) this.grow()
    const slot = (--this.head & this.mask) << 1
    this.slots[slot] = message
    this.slots[slot + 1] = mark
  }

  /** The oldest message; its mark is in `mark`. There must be one. */
  take(): unknown {
    const position = this.head++
    const slot = (position & this.mask) << 1
    const message = this.slots[slot]
    this.mark = this.slots[slot + 1] as Mark | undefined
    this.slots[slot] = undefined
    this.slots[slot + 1] = undefined
    if (this.keys !== undefined) this.forgetKey(message, position)
    return message
  }

  /**
   * Takes the oldest message that a sender sent, leaving those of timers and watches in their order.
   * @returns whether there was one: then `dropped` is called with it
   */
  dropOldest(dropped: (message: unknown, mark: Mark | undefined) => void): boolean {
    let kept = 0
    while (kept < this.size && !isSent(this.markAt(this.head + kept))) kept++
    if (kept === this.size) return false
    const ahead: [unknown, Mark | undefined][] = []
    for (let i = 0; i < kept; i++) ahead.push([this.take(), this.mark])
    const message = this.take()
    const { mark } = this
    while (ahead.length > 0) this.unshift(...ahead.pop()!)
    dropped(message, mark)
    return true
  }

  private markAt(position: number): Mark | undefined {
    return this.slots[((position & this.mask) << 1) + 1] as Mark | undefined
  }

  private forgetKey(message: unknown, position: number): void {
    if (this.mark !== undefined) return
    const key = this.coalesce?.(message)
    if (key !== undefined && this.keys?.get(key) === position) this.keys.delete(key)
  }

  private grow(): void {
    const size = this.mask + 1
    const slots = new Array<unknown>(size * 4).fill(undefined)
    const mask = size * 2 - 1
    for (let position = this.head; position < this.tail; position++) {
      const from = (position & this.mask) << 1
      const to = (position & mask) << 1
      slots[to] = this.slots[from]
      slots[to + 1] = this.slots[from + 1]
    }
    this.slots = slots
    this.mask = mask
  }
}

const isSent = (mark: Mark | undefined): boolean => mark === undefined || mark.kind === 'ask'

/** Empty mailboxes, kept for the next actor that gets a message, so that an idle actor needs none. */
export class MailboxPool {
  private readonly free: Mailbox[] = []

  take(policy: MailboxPolicy): Mailbox {
    const mailbox = this.free.pop() ?? new Mailbox()
    mailbox.open(policy)
    return mailbox
  }

  give(mailbox: Mailbox): void {
    if (this.free.length < KEPT && mailbox.reusable) this.free.push(mailbox)
  }
}
