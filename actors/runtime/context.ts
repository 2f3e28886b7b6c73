import type { WallMs } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import type { ActorContext } from './behaviour.ts'
import type { Cell } from './cell.ts'
import type { AnyReference } from './reference.ts'

/** The view that a behaviour has of its actor and of the system. */
export class Context implements ActorContext<unknown> {
  private readonly cell: Cell

  constructor(cell: Cell) {
    this.cell = cell
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

  wall(): WallMs {
    return this.environment.clock.wall()
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

  after(key: string, delay: number, message: unknown): void {
    this.cell.timers().set(key, delay, message)
  }

  cancel(key: string): void {
    this.cell.cancelTimer(key)
  }

  stop(): void {
    this.cell.requestStop(false)
  }
}
