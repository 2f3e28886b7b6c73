import type { Deadlines } from './ask.ts'
import type { Counters } from './counters.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Mark } from './mark.ts'
import { AnyReference } from './reference.ts'
import type { WatchListener } from './watches.ts'

/** The reference that an address without an actor gives: what it is sent becomes dead letters. */
export class Nobody extends AnyReference {
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

  override deliver(message: unknown, mark: Mark | undefined): boolean {
    this.counters.sent++
    this.deadLetters.add('unknown-address', this.address, message, this.counters)
    if (mark?.kind === 'ask') mark.fail('UNKNOWN_ADDRESS')
    return false
  }

  override watch(listener: WatchListener): () => void {
    listener({ address: this.address, why: 'unknown' })
    return () => undefined
  }

  protected override end(): Promise<void> {
    return Promise.resolve()
  }
}
