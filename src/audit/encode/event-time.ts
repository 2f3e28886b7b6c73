import { asWall, isoTime } from '../../base/clock.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import { lineSchema } from './line-schema.ts'
import { type Fragment, fragment, type Output, putFragment } from './output.ts'

/** The texts that depend on the second of an event: each second has hundreds of events. */
export class EventTime {
  /**
   * For a record that only its bytes identify: the text between the time and the hash. The first is for records from a
   * file, the second for records from the kernel.
   */
  rawKey = fragment('')
  rawKeyOfKernel = fragment('')
  /** For a BPF record: the text between the time and the seconds since boot. */
  bpfKey = fragment('')
  #boot = ''
  #bootTime = 0
  #auditKey = fragment('')
  #epoch = -1
  #seconds = fragment('')
  #ending = fragment('')
  #idsKey = fragment('')
  #subjectKey = fragment('')

  /** The Unix seconds in digits. */
  seconds(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#seconds
  }

  /** The text of an AppArmor event without tasks from after its pid to the value of `auditSubId`. */
  idsKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#idsKey
  }

  /** The text of a seccomp event from after its audit id to the subject. */
  subjectKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#subjectKey
  }

  /** The text from after the time to the audit id. A file may have a record of an earlier boot, which is unknown. */
  auditKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#auditKey
  }

  /** The text from after the event to the seconds of `timestamp`. */
  ending(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#ending
  }

  /** All texts of a second, in the native decoder's order (batch/known-addon.ts). */
  texts(epoch: number): readonly Fragment[] {
    return [this.idsKey(epoch), this.subjectKey(epoch), this.ending(epoch), this.auditKey(epoch)]
  }

  /** Sets the facts about the boot. */
  use({ bootID, bootTime }: Snapshot): void {
    this.#boot = bootID === '' ? '' : `${bootID}-`
    this.#bootTime = Math.floor(bootTime)
    this.#epoch = -1
    this.rawKey = fragment('Z","id":"raw-')
    this.rawKeyOfKernel = fragment(`Z","id":"${this.#boot}raw-`)
    this.bpfKey = fragment(`Z","id":"${this.#boot}bpf-`)
  }

  /**
   * Puts the end of the standard keys and the start of ours. `time` is the event's time, so that equal input gives
   * equal bytes.
   */
  putEnding(output: Output, epoch: number): void {
    if (epoch !== this.#epoch) this.#make(epoch)
    putFragment(output, this.#ending)
  }

  #make(epoch: number): void {
    this.#epoch = epoch
    this.#seconds = fragment(String(epoch))
    const time = isoTime(asWall(epoch * 1000)).slice(0, -'.000Z'.length)
    this.#idsKey = fragment(`,"peerPID":0,"task":0,"magicToken":0,"epoch":${epoch},"auditSubId":`)
    this.#subjectKey = fragment(`","epoch":${epoch},"subj":`)
    this.#ending = fragment(
      `,"time":"${time}Z","message":"violation event","schema":${lineSchema},"timestamp":"${time}`,
    )
    this.#auditKey = fragment(`Z","id":"${epoch < this.#bootTime ? '' : this.#boot}audit-`)
  }
}
