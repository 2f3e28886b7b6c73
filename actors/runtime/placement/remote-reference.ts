import type { Deadlines } from '../ask.ts'
import type { Origin } from '../origin.ts'
import { AnyReference } from '../reference.ts'
import type { Link } from './link.ts'

/** A reference to an actor of another thread. */
export class RemoteReference<Message> extends AnyReference<Message> {
  override readonly address: string
  override readonly stale = false
  /** The number of the address on the link. It is valid while the numbering of the link equals `numbering`. */
  number = 0
  numbering = 0
  private readonly link: Link

  constructor(link: Link, address: string, deadlines: Deadlines) {
    super(deadlines)
    this.link = link
    this.address = address
  }

  override deliver(message: unknown, origin: Origin | undefined): boolean {
    return this.link.send(this, message, origin)
  }
}
