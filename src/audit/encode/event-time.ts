import { asWall, isoTime } from '../../base/clock.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import { lineSchema } from './line-schema.ts'
import { type Fragment, fragment, type Output, putFragment } from './output.ts'

/** The texts of one second: events come by the hundred in each. */
export class EventTime {
  /** From behind the time to the hash, of a record that is known by its bytes alone, from a file and from the kernel. */
  rawKey = fragment('')
  rawKeyOfKernel = fragment('')
  /** The same to the time since boot, of a BPF record. */
  bpfKey = fragment('')
  #boot = ''
  #bootTime = 0
  #auditKey = fragment('')
  #epoch = -1
  #seconds = fragment('')
  #ending = fragment('')
  #idsKey = fragment('')
  #subjectKey = fragment('')

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

  /** Of a seccomp event: from behind its audit id to the subject. */
  subjectKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#subjectKey
  }

  /**
   * From behind the time to the audit id. A record from before this boot, as a file may hold it, is of a boot of which
   * nothing is known.
   */
  auditKey(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#auditKey
  }

  /** From behind the event into `timestamp`, behind its seconds. */
  ending(epoch: number): Fragment {
    if (epoch !== this.#epoch) this.#make(epoch)
    return this.#ending
  }

  /** All texts of a second, in the order in which the native decoder knows them (batch/known-addon.ts). */
  texts(epoch: number): readonly Fragment[] {
    return [this.idsKey(epoch), this.subjectKey(epoch), this.ending(epoch), this.auditKey(epoch)]
  }

  /** What is known of the boot. */
  use({ bootID, bootTime }: Snapshot): void {
    this.#boot = bootID === '' ? '' : `${bootID}-`
    this.#bootTime = Math.floor(bootTime)
    this.#epoch = -1
    this.rawKey = fragment('Z","id":"raw-')
    this.rawKeyOfKernel = fragment(`Z","id":"${this.#boot}raw-`)
    this.bpfKey = fragment(`Z","id":"${this.#boot}bpf-`)
  }

  /** Puts the end of the standard keys and the beginning of ours: `time` is the time of the event, so that the same input gives the same bytes. */
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
