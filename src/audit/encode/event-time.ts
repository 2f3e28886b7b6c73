import { asWall, isoTime } from '../../base/clock.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import { lineSchema } from './line-schema.ts'
import { type Fragment, fragment, type Output, putFragment } from './output.ts'

/** Caches the texts that depend on the second of an event, because a second may have hundreds of events. */
export class EventTime {
  /**
   * For a record without a readable id, the text between the time and the hash: `rawKey` for records from a file,
   * `rawKeyOfKernel` for records from the kernel.
   */
  rawKey = fragment('')
  rawKeyOfKernel = fragment('')
  /** For a BPF record, the text between the time and the seconds since boot. */
  bpfKey = fragment('')
  #boot = ''
  #bootTime = 0
  #auditKey = fragment('')
  #epoch = -1
  #seconds = fragment('')
  #ending = fragment('')
  #idsKey = fragment('')
  #subjectKey = fragment('')

  /** The digits of the Unix seconds. */
  seconds(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#seconds
  }

  /** The text between the pid and the value of `auditSubId`, for an AppArmor event without task ids. */
  idsKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#idsKey
  }

  /** The text between the audit id and the subject of a seccomp event. */
  subjectKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#subjectKey
  }

  /**
   * The text between the time and the audit id. For a record from a file, it does not say the boot, which is unknown.
   */
  auditKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#auditKey
  }

  /** The text between the event and the fraction of `timestamp`. */
  ending(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#ending
  }

  /** All texts of a second, in the order that KnownAddon.setSecond() needs (batch/known-addon.ts). */
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
   * Puts the end of the standard keys and the start of our keys. `time` is the time of the event, not the current time,
   * so that equal input gives equal bytes.
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
