import { inspect } from 'node:util'
import type { AskErrorCode } from '../ask.ts'
import { Counters, type Stats } from '../counters.ts'
import type { DeadLetterReason } from '../dead-letters.ts'
import { askErrorCodes, type Environment } from '../environment.ts'
import type { Asker, Origin } from '../origin.ts'
import type { AnyReference, StopOptions } from '../reference.ts'
import { Addresses, type Numbered } from './addresses.ts'
import { isMessage, Outbox, type Port } from './outbox.ts'
import { Packer, type Shape, unpack } from './packing.ts'
import {
  type Batch,
  type LogLevel,
  op,
  type Receiver,
  receiveBatch,
  receiveError,
  type SentAddress,
  type SentError,
  sendError,
} from './protocol.ts'
import { RemoteAsk } from './remote-ask.ts'

export interface LinkOptions {
  /** Name of the thread at the other end, for the log. */
  readonly name: string
  readonly environment: Environment
  /** Maximum number of messages that wait on this side or are on the way. */
  readonly limit: number
  /** Finds the actor of an address that the other side names. */
  resolve(address: string): AnyReference
  /** The stats to report together with deliveries. Set only on the thread's side. */
  stats?(): Stats
  ready?(): void
  close?(options: StopOptions): void
}

/** A thread reports its stats after this many delivered messages, or this many milliseconds. */
const REPORT_MESSAGES = 1_024
const REPORT_INTERVAL = 50

/**
 * One end of the connection between two threads. It sends messages in order, and keeps the pending requests of both
 * directions. A sent message counts as delivered once the stats of the other side include it. So if the other side
 * dies, all messages that may be lost count as lost.
 */
export class Link implements Receiver {
  readonly counters = new Counters()
  private readonly options: LinkOptions
  private readonly outbox: Outbox
  /** Messages sent, and messages known to have arrived. */
  private posted = 0
  private arrived = 0
  /** Number of sent messages that the last stats of the other side include. */
  private confirmed = 0
  private lastStats: Stats | undefined
  private readonly addresses: Addresses
  private readonly packer = new Packer()
  /** Number of the packer's shapes that were sent to the other side, and the shapes that the other side has sent. */
  private shapesSent = 0
  private readonly shapes: Shape[] = []
  private asks = new Map<number, Asker>()
  private askIds = 0
  private purgeAt = 1_024
  /** Incremented when the other side dies, so that a late reply does not go to a request of the new thread. */
  private generation = 0
  private ended = false
  private received = 0
  private unreported = 0
  private reportSet = false
  private lastReport = 0

  constructor(options: LinkOptions) {
    this.options = options
    this.addresses = new Addresses((address) => options.resolve(address))
    this.outbox = new Outbox(
      (messages) => {
        this.posted += messages
      },
      (item, error) => this.notClonable(item, error),
    )
  }

  /** The last report of the thread at the other end. */
  get reported(): Stats | undefined {
    return this.lastStats
  }

  /** Number of messages that wait on this side or are on the way. */
  get queued(): number {
    return this.outbox.messages + this.posted - this.arrived
  }

  attach(port: Port): void {
    this.outbox.attach(port)
  }

  /** The other side is gone. Unsent messages stay for the next thread. */
  detach(): void {
    this.generation++
    const { environment, name } = this.options
    const lost = this.posted - this.confirmed
    this.counters.queued -= lost
    environment.deadLetters.addMany('thread-died', name, lost, this.counters)
    this.posted = this.confirmed
    this.arrived = this.confirmed
    this.lastStats = undefined
    const waiting = this.outbox.detach((item) => this.plain(item))
    this.addresses.clear()
    this.packer.clear()
    this.shapesSent = 0
    for (const [id, asker] of this.asks)
      if (!waiting.has(id)) {
        this.asks.delete(id)
        asker.fail('THREAD_DIED')
      }
  }

  /** The other side is gone permanently: waiting and later messages become dead letters. */
  end(): void {
    this.ended = true
    for (const item of this.outbox.clear()) this.dropItem(item, 'stopped')
    for (const asker of this.asks.values()) asker.fail('STOPPED')
    this.asks.clear()
  }

  /** Sends all waiting items and the last stats, before this side closes. */
  finish(): void {
    this.reportStats()
    this.outbox.flush()
  }

  // ---- out

  send(to: Numbered, message: unknown, origin: Origin | undefined): boolean {
    this.counters.sent++
    if (this.ended || this.queued >= this.options.limit) {
      this.refuse(this.ended ? 'stopped' : 'link-full', to.address, message, origin)
      return false
    }
    this.counters.queued++
    const address = this.short(to)
    if (origin?.kind === 'ask') this.outbox.ask(address, message, this.expect(origin))
    else this.sendTell(address, message)
    return true
  }

  private sendTell(address: SentAddress, message: unknown): void {
    // A new thread knows no shapes; until it runs, messages wait unpacked.
    const shape = this.outbox.attached ? this.packer.shapeOf(message) : undefined
    if (shape === undefined) {
      this.outbox.tell(address, message)
      return
    }
    if (shape.number === this.shapesSent) {
      this.outbox.add(op.shape, shape)
      this.shapesSent++
    }
    this.outbox.pack(address, shape, message as object)
  }

  /** A waiting message, unpacked and with its full address. */
  private plain(item: unknown[]): unknown[] {
    const [operation, address, content, id] = item
    const name = this.addresses.nameOf(address as SentAddress)
    if (operation === op.ask) return [op.ask, name, content, id]
    return [op.tell, name, operation === op.packed ? unpack(this.packer.shape(Number(content)), item, 4) : content]
  }

  /** The number of an address, assigned if necessary; the address itself if no thread is at the other end. */
  private short(to: Numbered): SentAddress {
    if (!this.outbox.attached) return to.address
    if (this.addresses.full && this.outbox.empty) this.addresses.clear()
    if (this.addresses.number(to)) this.outbox.add(op.address, to.number, to.address)
    return to.number
  }

  sendLog(level: LogLevel, fields: object, text: string): void {
    this.outbox.add(op.log, level, plainFields(fields), text)
  }

  sendReady(): void {
    this.outbox.add(op.ready)
  }

  sendClose(options: StopOptions): void {
    this.outbox.add(op.close, options)
  }

  /** Replies to an ask of the other side, unless that side is gone. */
  sendReply(generation: number, id: number, value: unknown): void {
    if (generation === this.generation) this.outbox.add(op.reply, id, value)
  }

  sendFailure(generation: number, id: number, code: AskErrorCode, cause: unknown): void {
    if (generation !== this.generation) return
    this.outbox.add(op.failure, id, code, cause === undefined ? undefined : sendError(cause))
  }

  private expect(asker: Asker): number {
    if (this.asks.size >= this.purgeAt) {
      for (const [id, { settled }] of this.asks) if (settled) this.asks.delete(id)
      this.purgeAt = Math.max(1_024, this.asks.size * 2)
    }
    this.asks.set(++this.askIds, asker)
    return this.askIds
  }

  private refuse(reason: DeadLetterReason, address: string, message: unknown, origin: Origin | undefined): void {
    this.options.environment.deadLetters.add(reason, address, message, this.counters)
    if (origin?.kind === 'ask') origin.fail(askErrorCodes[reason])
  }

  private dropItem(item: unknown[], reason: DeadLetterReason): void {
    if (!isMessage(item[0])) return
    const [operation, address, message, id] = this.plain(item)
    this.counters.queued--
    this.refuse(reason, String(address), message, operation === op.ask ? this.takeAsk(Number(id)) : undefined)
  }

  private notClonable(item: unknown[], error: unknown): void {
    const [operation, id] = item
    const { log } = this.options.environment
    log.error({ thread: this.options.name, err: error }, 'cannot send a value to another thread')
    this.dropItem(item, 'not-clonable')
    if (operation === op.reply) this.outbox.add(op.failure, id, 'NOT_CLONABLE', sendError(error))
  }

  private takeAsk(id: number): Asker | undefined {
    const asker = this.asks.get(id)
    this.asks.delete(id)
    return asker
  }

  // ---- in

  receive(batch: Batch): void {
    receiveBatch(batch, this, (error) =>
      this.options.environment.log.error(
        { thread: this.options.name, err: error },
        'cannot handle a message from a thread',
      ),
    )
    if (this.received > 0) this.reportDelivered()
  }

  tell(address: SentAddress, message: unknown): void {
    this.received++
    this.addresses.resolve(address).deliver(message, undefined)
  }

  ask(address: SentAddress, message: unknown, id: number): void {
    this.received++
    this.addresses.resolve(address).deliver(message, new RemoteAsk(this, this.generation, id))
  }

  address(number: number, address: string): void {
    this.addresses.learn(number, address)
  }

  shape(shape: Shape): void {
    this.shapes[shape.number] = shape
  }

  packed(address: SentAddress, shape: number, batch: Batch, from: number): void {
    this.received++
    this.addresses.resolve(address).deliver(unpack(this.shapes[shape]!, batch, from), undefined)
  }

  reply(id: number, value: unknown): void {
    this.takeAsk(id)?.answer(value)
  }

  failure(id: number, code: AskErrorCode, cause: SentError | undefined): void {
    this.takeAsk(id)?.fail(code, cause === undefined ? undefined : receiveError(cause))
  }

  delivered(count: number, stats: Stats | undefined): void {
    this.arrived += count
    // The thread's side needs no stats, because the thread cannot outlive the main process.
    if (stats === undefined && this.options.stats === undefined) return
    this.lastStats = stats
    this.counters.queued -= this.arrived - this.confirmed
    this.counters.processed += this.arrived - this.confirmed
    this.confirmed = this.arrived
  }

  /**
   * Reports deliveries to the other side, so that it may send more. A thread adds its stats, but not to each report.
   */
  private reportDelivered(): void {
    const { stats, environment } = this.options
    this.unreported += this.received
    const due = this.unreported >= REPORT_MESSAGES || environment.clock.now() - this.lastReport >= REPORT_INTERVAL
    if (stats !== undefined && due) {
      this.reportStats()
      return
    }
    this.outbox.add(op.delivered, this.received, undefined)
    this.received = 0
    if (stats !== undefined) this.reportSoon()
  }

  private reportStats(): void {
    const { stats, environment } = this.options
    const reported = stats?.()
    this.outbox.add(op.delivered, this.received, reported)
    this.received = 0
    this.unreported = 0
    this.lastReport = environment.clock.now()
    // Report again soon: messages in the queue would count as lost if the thread handled them and then died.
    if (reported !== undefined && reported.queued > 0) this.reportSoon()
  }

  private reportSoon(): void {
    if (this.reportSet) return
    this.reportSet = true
    this.options.environment.clock.after(REPORT_INTERVAL, () => {
      this.reportSet = false
      this.reportStats()
    })
  }

  log(level: LogLevel, fields: object, text: string): void {
    this.options.environment.log[level]({ thread: this.options.name, ...withErrors(fields) }, text)
  }

  ready(): void {
    this.options.ready?.()
  }

  close(options: StopOptions): void {
    this.options.close?.(options)
  }
}

/**
 * Log fields in a form that can always be cloned: a field that cannot be cloned would cause another log line, and so
 * on.
 */
function plainFields(fields: object): object {
  const plain = (value: unknown): unknown => {
    if (value instanceof Error) return sendError(value)
    return typeof value === 'object' || typeof value === 'function' ? inspect(value, { depth: 3 }) : value
  }
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]))
}

/** Undoes `plainFields`: a remaining object is an error, which loggers format specially. */
function withErrors(fields: object): object {
  const whole = (value: unknown): unknown => (typeof value === 'object' ? receiveError(value as SentError) : value)
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, whole(value)]))
}
