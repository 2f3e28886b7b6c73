import { checkCount } from './limits.ts'
import type { Origin } from './origin.ts'

export interface MailboxOptions<Message = unknown> {
  /** Maximum number of waiting messages, at least 1. A full mailbox refuses messages. Default 1,000. */
  readonly capacity?: number
  /**
   * The key of a message that only repeats the latest state; undefined for other messages. A newer message replaces a
   * waiting message of the same key in its position, even in a full mailbox. A request needs a reply, so it is never
   * replaced.
   */
  coalesce?(message: Message): string | number | undefined
}

export type Key = string | number

/** `MailboxOptions` with all defaults set. */
export interface MailboxPolicy {
  readonly capacity: number
  readonly coalesce: ((message: unknown) => Key | undefined) | undefined
}

export function mailboxPolicy<Message>(options: MailboxOptions<Message> = {}): MailboxPolicy {
  const { capacity = 1_000 } = options
  checkCount('The capacity of a mailbox', capacity)
  const untyped = options as MailboxOptions
  return {
    capacity,
    coalesce: options.coalesce === undefined ? undefined : (message) => untyped.coalesce?.(message),
  }
}

const SMALLEST = 8
/** Maximum size of a mailbox that is kept for the next actor. */
const LARGEST_KEPT = 1_024
/** Maximum number of kept mailboxes: in most systems, enough for all busy actors. */
const KEPT = 1_024

/**
 * An actor's waiting messages, in order: a circular array with two slots for each message, the second slot for its
 * origin. Positions grow without bound; the slot is the position modulo the size.
 */
export class Mailbox {
  private slots: unknown[] = new Array(SMALLEST * 2).fill(undefined)
  private mask = SMALLEST - 1
  private head = 0
  private tail = 0
  /** Position of the newest waiting message of each key. */
  private keys: Map<Key, number> | undefined
  private coalesce: MailboxPolicy['coalesce']
  /** The origin of the last taken message. */
  origin: Origin | undefined

  get size(): number {
    return this.tail - this.head
  }

  get reusable(): boolean {
    return this.mask < LARGEST_KEPT
  }

  /** Prepares an empty mailbox for an actor. */
  open(policy: MailboxPolicy): void {
    this.coalesce = policy.coalesce
    this.origin = undefined
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

  push(message: unknown, origin: Origin | undefined): void {
    if (this.tail - this.head > this.mask) this.grow()
    const slot = (this.tail++ & this.mask) << 1
    this.slots[slot] = message
    this.slots[slot + 1] = origin
  }

  pushKeyed(message: unknown, key: Key): void {
    this.push(message, undefined)
    this.keys ??= new Map()
    this.keys.set(key, this.tail - 1)
  }

  /** Removes and returns the oldest message, and sets `origin` to its origin. The mailbox must not be empty. */
  take(): unknown {
    const position = this.head++
    const slot = (position & this.mask) << 1
    const message = this.slots[slot]
    this.origin = this.slots[slot + 1] as Origin | undefined
    this.slots[slot] = undefined
    this.slots[slot + 1] = undefined
    if (this.keys !== undefined) this.forgetKey(message, position)
    return message
  }

  private forgetKey(message: unknown, position: number): void {
    if (this.origin !== undefined) return
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

/** Empty mailboxes, kept for the next actor that gets a message: an idle actor has no mailbox. */
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
