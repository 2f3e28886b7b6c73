import type { AskErrorCode } from '../ask.ts'
import type { Stats } from '../counters.ts'
import type { StopOptions } from '../reference.ts'
import type { Shape } from './packing.ts'

/**
 * Threads exchange batches. A batch is a flat array of items; each item is its operation followed by its operands. It
 * is flat because each nested object costs time.
 */
export type Batch = unknown[]

/** An actor's address, or the number that an `address` item assigned to it: texts are costly to send and look up. */
export type SentAddress = string | number

/** The operations and their operands. Wherever an operand is an address, its number may be used. */
export const op = {
  /** address, message */
  tell: 0,
  /** address, message, id */
  ask: 1,
  /** id, value */
  reply: 2,
  /** id, code, cause or undefined */
  failure: 3,
  /** number of delivered messages, stats of the thread or undefined */
  delivered: 4,
  /** level, fields, text */
  log: 5,
  /** no operands: the thread has loaded its module */
  ready: 6,
  /** options: the thread must end */
  close: 7,
  /** number, address: from now on, the number means this address */
  address: 8,
  /** shape: from now on, its number means this shape */
  shape: 9,
  /** address, number of the shape, number of values, values: a packed `tell` */
  packed: 10,
} as const

export type Op = (typeof op)[keyof typeof op]

/** Number of array elements of an item of each operation; for a packed item, without its values. */
const itemLengths: readonly number[] = [3, 4, 3, 4, 3, 4, 1, 2, 3, 2, 4]

function endOfItem(batch: Batch, at: number): number {
  const end = at + itemLengths[batch[at] as number]!
  return batch[at] === op.packed ? end + (batch[at + 3] as number) : end
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** An error in a form that can be cloned: it loses its class. */
export interface SentError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
}

/** A handler for each operation, implemented by a link. */
export interface Receiver {
  tell(address: SentAddress, message: unknown): void
  ask(address: SentAddress, message: unknown, id: number): void
  reply(id: number, value: unknown): void
  failure(id: number, code: AskErrorCode, cause: SentError | undefined): void
  delivered(count: number, stats: Stats | undefined): void
  log(level: LogLevel, fields: object, text: string): void
  ready(): void
  close(options: StopOptions): void
  address(number: number, address: string): void
  shape(shape: Shape): void
  packed(address: SentAddress, shape: number, batch: Batch, from: number): void
}

export function sendError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined }
  return { name: error.name, message: error.message, stack: error.stack }
}

export function receiveError(sent: SentError): Error {
  const error = new Error(sent.message)
  error.name = sent.name
  if (sent.stack !== undefined) error.stack = sent.stack
  return error
}

/** The items of a batch, each with its operation first. */
export function* itemsOf(batch: Batch): Generator<unknown[]> {
  for (let at = 0; at < batch.length; ) {
    const end = endOfItem(batch, at)
    yield batch.slice(at, end)
    at = end
  }
}

/** Passes each item of a batch to the receiver; an item that throws does not stop the others. */
export function receiveBatch(batch: Batch, receiver: Receiver, failed: (error: unknown) => void): void {
  for (let at = 0; at < batch.length; ) {
    const from = at
    at = endOfItem(batch, at)
    try {
      receiveItem(batch, from, receiver)
    } catch (error) {
      failed(error)
    }
  }
}

function receiveItem(batch: Batch, at: number, to: Receiver): void {
  // The other side runs this module, too, so the operands have the types of the table.
  const a = batch[at + 1] as never
  const b = batch[at + 2] as never
  const c = batch[at + 3] as never
  switch (batch[at] as Op) {
    case op.tell:
      to.tell(a, b)
      break
    case op.ask:
      to.ask(a, b, c)
      break
    case op.reply:
      to.reply(a, b)
      break
    case op.failure:
      to.failure(a, b, c)
      break
    case op.delivered:
      to.delivered(a, b)
      break
    case op.log:
      to.log(a, b, c)
      break
    case op.ready:
      to.ready()
      break
    case op.close:
      to.close(a)
      break
    case op.address:
      to.address(a, b)
      break
    case op.shape:
      to.shape(a)
      break
    case op.packed:
      to.packed(a, b, batch, at + 4)
      break
  }
}
