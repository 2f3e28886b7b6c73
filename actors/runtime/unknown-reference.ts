import type { Deadlines } from './ask.ts'
import type { Counters } from './counters.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Origin } from './origin.ts'
import { AnyReference } from './reference.ts'

/** The reference of an address without an actor: its messages become dead letters. */
export class UnknownReference extends AnyReference {
  override readonly address: string
  override readonly stale = true
  private readonly deadLetters: DeadLetters
  private readonly counters: Counters

  constructor(address: string, deadlines: Deadlines, deadLetters: DeadLetters, counters: Counters) {
    super(deadlines)
    this.address = address
    this.deadLetters = deadLetters
    this.counters = counters
  }

  override deliver(message: unknown, origin: Origin | undefined): boolean {
    this.counters.sent++
    this.deadLetters.add('unknown-address', this.address, message, this.counters)
    if (origin?.kind === 'ask') origin.fail('UNKNOWN_ADDRESS')
    return false
  }
}
