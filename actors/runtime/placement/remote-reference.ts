import type { Deadlines } from '../ask.ts'
import type { Asker, Mark } from '../mark.ts'
import { AnyReference, type StopOptions } from '../reference.ts'
import type { WatchListener } from '../watches.ts'
import type { Link } from './link.ts'

/** A stop on the way: however it ends, the actor is no more. */
class PendingStop implements Asker {
  readonly kind = 'ask'
  settled = false
  deferred = false
  private readonly ended: () => void

  constructor(ended: () => void) {
    this.ended = ended
  }

  answer(): void {
    this.settled = true
    this.ended()
  }

  fail(): void {
    this.answer()
  }
}

/** A reference to an actor of another thread. */
export class RemoteReference<Message> extends AnyReference<Message> {
  override readonly address: string
  override readonly stale = false
  /** The address's number on the link, as long as the link's numbering is this one. */
  number = 0
  numbering = 0
  private readonly link: Link

  constructor(link: Link, address: string, deadlines: Deadlines) {
    super(deadlines)
    this.link = link
    this.address = address
  }

  override deliver(message: unknown, mark: Mark | undefined): boolean {
    return this.link.send(this, message, mark)
  }

  override watch(listener: WatchListener): () => void {
    return this.link.sendWatch(this.address, listener)
  }

  protected override end(options: StopOptions | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.link.sendStop(this.address, options, new PendingStop(resolve))
    })
  }
}
