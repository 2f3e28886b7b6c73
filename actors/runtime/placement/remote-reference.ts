import type { Deadlines } from '../ask.ts'
import type { Origin } from '../origin.ts'
import { AnyReference } from '../reference.ts'
import type { Link } from './link.ts'

/** A reference to an actor of another thread. */
export class RemoteReference<Message> extends AnyReference<Message> {
  override readonly address: string
  override readonly stale = false
  /** The address's number on the link, valid while the link's numbering is this one. */
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
