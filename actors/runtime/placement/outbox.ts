import type { Shape } from './packing.ts'
import { type Batch, itemsOf, op, type SentAddress } from './protocol.ts'

/** The receiver of batches: a worker or, inside a worker, its parent port. */
export interface Port {
  postMessage(batch: Batch): void
}

/** Maximum number of messages in a batch. */
const BATCH = 1_024

/** Whether the item counts as a message. */
export const isMessage = (operation: unknown): boolean =>
  operation === op.tell || operation === op.ask || operation === op.packed

/**
 * Collects items for another thread, and sends them once in each turn of the event loop or when a batch is full. Keeps
 * them while there is no port.
 */
export class Outbox {
  /** Number of waiting messages of `tell` and `ask`. */
  messages = 0
  private batch: Batch = []
  private port: Port | undefined
  private flushSet = false
  private readonly posted: (messages: number) => void
  private readonly refused: (item: unknown[], error: unknown) => void

  /**
   * @param posted called with the number of messages sent
   * @param refused called with each item that cannot be cloned
   */
  constructor(posted: (messages: number) => void, refused: (item: unknown[], error: unknown) => void) {
    this.posted = posted
    this.refused = refused
  }

  attach(port: Port): void {
    this.port = port
    this.flush()
  }

  get empty(): boolean {
    return this.batch.length === 0
  }

  get attached(): boolean {
    return this.port !== undefined
  }

  /**
   * Keeps waiting messages for the next port. Drops replies, because their callers were behind the old port.
   * @param plain returns a message without the numbers and shapes that only the old port knows
   * @returns the ids of the kept requests
   */
  detach(plain: (item: unknown[]) => unknown[]): ReadonlySet<number> {
    this.port = undefined
    const kept = [...itemsOf(this.batch)].filter(([operation]) => isMessage(operation)).map(plain)
    this.batch = kept.flat(1)
    return new Set(kept.filter(([operation]) => operation === op.ask).map((item) => Number(item[3])))
  }

  tell(address: SentAddress, message: unknown): void {
    this.batch.push(op.tell, address, message)
    this.messageAdded()
  }

  /** Adds a packed `tell`: only its values. */
  pack(address: SentAddress, { number, fields }: Shape, message: object): void {
    this.batch.push(op.packed, address, number, fields.length)
    for (let i = 0; i < fields.length; i++) this.batch.push(message[fields[i] as never])
    this.messageAdded()
  }

  ask(address: SentAddress, message: unknown, id: number): void {
    this.batch.push(op.ask, address, message, id)
    this.messageAdded()
  }

  /** Adds an item that is not a message. */
  add(...item: unknown[]): void {
    this.batch.push(...item)
    this.schedule()
  }

  readonly flush = (): void => {
    this.flushSet = false
    const { batch, messages, port } = this
    if (port === undefined || batch.length === 0) return
    this.batch = []
    this.messages = 0
    try {
      port.postMessage(batch)
      this.posted(messages)
    } catch {
      // One item cannot be cloned; send each item alone.
      for (const item of itemsOf(batch)) this.post(port, item)
    }
  }

  /** Removes and returns all waiting items. */
  clear(): unknown[][] {
    const items = [...itemsOf(this.batch)]
    this.batch = []
    this.messages = 0
    return items
  }

  private post(port: Port, item: unknown[]): void {
    try {
      port.postMessage(item)
      this.posted(isMessage(item[0]) ? 1 : 0)
    } catch (error) {
      this.refused(item, error)
    }
  }

  private messageAdded(): void {
    this.messages++
    if (this.messages >= BATCH && this.port !== undefined) this.flush()
    else this.schedule()
  }

  private schedule(): void {
    if (this.flushSet || this.port === undefined) return
    this.flushSet = true
    setImmediate(this.flush)
  }
}
