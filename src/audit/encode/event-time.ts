import { type Fragment, fragment, type Output, putFragment } from './output.ts'

/** The texts of one second: events come by the hundred in each. */
export class EventTime {
  #epoch = -1
  #seconds = fragment('')
  #ending = fragment('')
  #idsKey = fragment('')

  /** The unix seconds in digits. */
  seconds(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#seconds
  }

  /** Of an AppArmor event without tasks: from behind its pid to the value of `auditSubId`. */
  idsKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#idsKey
  }

  /** From behind the event to the first field of ours. */
  ending(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#ending
  }

  /** Puts the end of the standard keys: `time` is the time of the event, so that the same input gives the same bytes. */
  putEnding(output: Output, epoch: number): void {
    if (epoch !== this.#epoch) this.#make(epoch)
    putFragment(output, this.#ending)
  }

  #make(epoch: number): void {
    this.#epoch = epoch
    this.#seconds = fragment(String(epoch))
    const time = new Date(epoch * 1000).toISOString().replace('.000Z', 'Z')
    this.#idsKey = fragment(`,"peerPID":0,"task":0,"magicToken":0,"epoch":${epoch},"auditSubId":`)
    this.#ending = fragment(`,"time":"${time}","message":"violation event"`)
  }
}
