import type { AskErrorCode } from '../ask.ts'
import type { Asker } from '../origin.ts'

/** Sends replies to a caller on another thread. */
interface WayBack {
  sendReply(generation: number, id: number, value: unknown): void
  sendFailure(generation: number, id: number, code: AskErrorCode, cause: unknown): void
}

/** A request from another thread, which has the promise and the timeout. */
export class RemoteAsk implements Asker {
  readonly kind = 'ask'
  settled = false
  private readonly link: WayBack
  private readonly generation: number
  private readonly id: number

  constructor(link: WayBack, generation: number, id: number) {
    this.link = link
    this.generation = generation
    this.id = id
  }

  answer(value: unknown): void {
    if (this.settled) return
    this.settled = true
    this.link.sendReply(this.generation, this.id, value)
  }

  fail(code: AskErrorCode, cause?: unknown): void {
    if (this.settled) return
    this.settled = true
    this.link.sendFailure(this.generation, this.id, code, cause)
  }
}
