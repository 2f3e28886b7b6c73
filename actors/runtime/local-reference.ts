import type { Deadlines } from './ask.ts'
import type { Cell } from './cell.ts'
import type { Mark } from './mark.ts'
import { AnyReference, type StopOptions } from './reference.ts'
import type { Watches, WatchListener } from './watches.ts'

/** A reference to a spawned actor of this thread. */
export class LocalReference<Message> extends AnyReference<Message> {
  private readonly cell: Cell
  private readonly watches: Watches

  constructor(cell: Cell, deadlines: Deadlines, watches: Watches) {
    super(deadlines)
    this.cell = cell
    this.watches = watches
  }

  override get stale(): boolean {
    return this.cell.phase === 'ended'
  }

  override get address(): string {
    return this.cell.address
  }

  override deliver(message: unknown, mark: Mark | undefined): boolean {
    return this.cell.deliver(message, mark)
  }

  override watch(listener: WatchListener): () => void {
    const { address, watches } = this
    if (this.cell.phase === 'ended') {
      listener({ address, why: 'unknown' })
      return () => undefined
    }
    watches.add(address, listener)
    return () => {
      watches.remove(address, listener)
    }
  }

  protected override end(options: StopOptions | undefined): Promise<void> {
    return this.cell.stop(options)
  }
}
