import type { Logger } from '../../src/base/logger.ts'
import type { ActorContext, Behaviour, SpawnOptions } from './behaviour.ts'
import type { Cell } from './cell.ts'
import { news } from './mark.ts'
import type { AnyReference, Reference } from './reference.ts'
import type { Terminated } from './watches.ts'

/** Starts an actor under another one. */
export type SpawnUnder = <State, Message>(
  parent: Cell,
  behaviour: Behaviour<State, Message>,
  options: SpawnOptions<Message>,
) => Reference<Message>

/** What a behaviour sees of its actor and of the system. */
export class Context implements ActorContext<unknown> {
  private readonly cell: Cell
  private readonly spawnUnder: SpawnUnder

  constructor(cell: Cell, spawnUnder: SpawnUnder) {
    this.cell = cell
    this.spawnUnder = spawnUnder
  }

  private get environment() {
    return this.cell.kind.environment
  }

  get self(): AnyReference {
    return this.environment.lookup(this.cell.address)
  }

  get address(): string {
    return this.cell.address
  }

  get key(): string {
    return this.cell.key
  }

  get lastFailure(): unknown {
    return this.cell.lastFailure
  }

  get log(): Logger {
    return this.environment.log
  }

  now(): number {
    return this.environment.clock.now()
  }

  random(): number {
    return this.environment.random()
  }

  reply(message: unknown, value: unknown): boolean {
    const asker = this.cell.askerOf(message)
    if (asker === undefined || asker.settled) return false
    asker.answer(value)
    return true
  }

  replyLater(message: unknown): (value: unknown) => boolean {
    const asker = this.cell.askerOf(message)
    if (asker === undefined) return () => false
    this.cell.defer(asker)
    return (value) => {
      if (asker.settled) return false
      asker.answer(value)
      return true
    }
  }

  stash(): void {
    this.cell.stash()
  }

  unstash(): void {
    this.cell.unstash()
  }

  after(key: string, delay: number, message: unknown): void {
    this.cell.timers().set(key, delay, message, false)
  }

  every(key: string, period: number, message: unknown): void {
    this.cell.timers().set(key, period, message, true)
  }

  cancel(key: string): void {
    this.cell.timers().cancel(key)
  }

  watch(reference: Reference<never>, toMessage: (terminated: Terminated) => unknown): void {
    const { cell } = this
    const { address } = reference
    cell.unwatch(address)
    let over = false
    const end = reference.watch((terminated) => {
      over = true
      cell.watchEnded(address)
      cell.signal(toMessage(terminated), news)
    })
    if (!over) cell.watch(address, end)
  }

  unwatch(reference: Reference<never>): void {
    this.cell.unwatch(reference.address)
  }

  spawn<State, Message>(behaviour: Behaviour<State, Message>, options: SpawnOptions<Message> = {}): Reference<Message> {
    return this.spawnUnder(this.cell, behaviour, options)
  }

  lookup<Other>(address: string): Reference<Other> {
    return this.environment.lookup(address)
  }

  stop(): void {
    this.cell.requestStop(false)
  }
}
