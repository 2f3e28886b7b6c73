import { Buffer } from 'node:buffer'
import { form } from '../decode/record-fields.ts'
import type { ProfileHead } from '../encode/event-head.ts'
import { isRefused } from '../encode/event-head.ts'
import { putHex } from '../encode/json-text.ts'
import type { Label } from '../encode/labels.ts'
import { putAuditMark, putRawMark, putRecordMark, recordEnd } from '../encode/line-id.ts'
import type { LineOwner } from '../encode/line-owner.ts'
import { type Fragment, fragment, type Output, putFragment, putNumber } from '../encode/output.ts'
import { putOddValue, putRaw, Values } from '../encode/values.ts'
import { type Attribution, checked, mayResolveLater, noProcess } from '../enrich/attribution.ts'
import type { PidResolver } from '../enrich/pid-resolver.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import type { SourceBatch, UnresolvedReason } from './batch.ts'
import { type KindPrefix, noKind, undecodedPrefix } from './kind-table.ts'
import { type KnownRecords, middleParts } from './known-records.ts'
import type { Scratch } from './scratch.ts'

const undecodedPid = fragment('0,"mntNsID":0,"eventTimestamp":')
const undecodedHead = fragment(
  ',"eventType":"","enforcer":"","action":"","profileName":"","policyKind":"","policyName":"","policyNamespace":"","event":{}',
)
const undecodedKey = fragment(',"undecoded":')
const lineEnd = fragment('}\n')
const unresolvedTexts: Partial<Record<UnresolvedReason, Fragment>> = {}

function reasonText(reason: UnresolvedReason): Fragment {
  unresolvedTexts[reason] ??= fragment(`,"unresolved":"${reason}"`)
  return unresolvedTexts[reason]
}

/** Maximum bytes of a line's numbers and constant texts, without the texts of its container and profile. */
const fixedTexts = 4096

/** The state of the work on one batch: its bytes, the current record, and the current line. */
export class BatchContext {
  readonly scratch: Scratch
  readonly snapshot: Snapshot
  readonly resolver: PidResolver
  readonly output: Output
  readonly bytes: Uint8Array
  readonly view: DataView
  /** The same bytes as a Buffer, which finds newlines natively. */
  readonly buffer: Buffer
  readonly kmsg: boolean
  /** Writes the lines of known records without the scanner. undefined for /dev/kmsg, because it escapes bytes. */
  readonly known: KnownRecords | undefined
  /** Whether the records come directly from the kernel. Such records are from this boot. */
  readonly live: boolean
  readonly final: boolean
  /** Unix seconds for records without a time. */
  readonly readAt: number
  readonly appArmor: Values
  readonly seccomp: Values
  readonly unresolved: Partial<Record<UnresolvedReason, number>> = {}
  /** Records of our profiles that an untrusted process sent. */
  untrusted = 0
  /**
   * Time stamp of the last kernel message that may contain line ends; empty if there is no such message. Records of our
   * types that the kernel itself creates cannot contain line ends; all other messages may.
   */
  stampStart = 0
  stampEnd = 0
  /** `start` and `end` are the first line of the current record; `recordEnd` is the end of its continuation lines. */
  start = 0
  end = 0
  recordEnd = 0
  /** Start of the current line in the output. */
  lineAt = 0
  attribution: Attribution = noProcess

  constructor(batch: SourceBatch, snapshot: Snapshot, resolver: PidResolver, scratch: Scratch) {
    // Sources may pass a Buffer. V8 keeps the hot path fast only if it sees a single array class.
    const { buffer, byteOffset, byteLength } = batch.bytes
    const bytes = new Uint8Array(buffer, byteOffset, byteLength)
    this.scratch = scratch
    this.snapshot = snapshot
    this.resolver = resolver
    this.output = scratch.begin(snapshot, resolver, batch)
    this.bytes = bytes
    this.view = new DataView(buffer, byteOffset, byteLength)
    this.buffer = Buffer.from(buffer, byteOffset, byteLength)
    this.kmsg = batch.format === 'kmsg'
    this.known = this.kmsg ? undefined : scratch.known
    this.live = batch.format !== 'auditlog'
    this.final = batch.final ?? false
    this.readAt = batch.readAt ?? 0
    const { output, view, kmsg } = this
    this.appArmor = new Values(output, bytes, view, kmsg, scratch.appArmorFields)
    this.seccomp = new Values(output, bytes, view, kmsg, scratch.seccompFields)
  }

  /**
   * Finds the container of `pid`.
   * @param label the process's label in the record, if the profile is ours
   * @returns whether the event can be written: its container is known, or it must not wait longer
   */
  place(pid: number, epoch: number, label: Label | undefined): boolean {
    const { snapshot, resolver, scratch } = this
    const payer = label?.payer ?? ''
    const attribution = scratch.attributions.find(pid, epoch, snapshot, resolver, this, payer)
    if (label === undefined) return this.settle(attribution, payer)
    return this.settle(checked(attribution, label), payer, (label.head.modelling ?? '') !== '')
  }

  /** The exact time of the current record, for text records. */
  exactTime(): number {
    const { epoch, fractionStart, fractionEnd } = this.scratch.id
    let fraction = 0
    for (let at = fractionEnd - 1; at >= fractionStart; at--) {
      const digit = this.bytes[at]! - 0x30
      if (digit >= 0 && digit <= 9) fraction = (fraction + digit) / 10
    }
    return epoch + fraction
  }

  /**
   * Sets the attribution of the current record, or defers the record. @returns false if the record waits
   * @param payer the owner of the waiting record while its container is unknown
   * @param recorded whether the record's profile is being recorded
   */
  settle(attribution: Attribution, payer: string, recorded = false): boolean {
    this.attribution = attribution
    const { reason } = attribution
    if (reason === undefined || this.final || !mayResolveLater(attribution)) return true
    const holder = attribution.holder || payer
    this.scratch.defer({ reason, holder, recorded }, attribution.waitsFor, this.start, this.recordEnd)
    return false
  }

  /**
   * Puts the start of a line, and reserves room for the rest of the line.
   * @param opening the start of the event, with which the line's start ends
   */
  putLineStart(head: ProfileHead, kind: number, pid: number, epoch: number, opening: string): void {
    const { output } = this
    const start = this.lineStart(kind)
    const middle = this.lineMiddle(head, kind, epoch, opening)
    this.makeRoom(start, middle)
    putFragment(output, start)
    putNumber(output, pid)
    putFragment(output, middle)
  }

  /** The part of the line before the pid. */
  lineStart(kind: number): Fragment {
    const owner = this.attribution.container ?? this.snapshot.noContainer
    return isRefused(kind) ? owner.refused : owner.reported
  }

  /** The part of the line from after the pid to the start of the event. This also counts the event. */
  lineMiddle(head: ProfileHead, kind: number, epoch: number, opening: string): Fragment {
    const { container, mntNsID } = this.attribution
    this.scratch.heads.count(head, kind)
    return middleOf(container ?? this.snapshot.noContainer, head, kind, epoch, mntNsID, opening)
  }

  /**
   * Counts the current line by its kind, if counting is enabled. A kind consists of the prefix, and of `bytes` from
   * `start` to `end`.
   */
  countKind(
    head: ProfileHead,
    kind: number,
    prefix: KindPrefix,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    const { container } = this.attribution
    const owner = container ?? this.snapshot.noContainer
    this.scratch.kinds?.count(owner, container, head, kind, prefix, bytes, view, start, end, this.lineAt)
  }

  /**
   * Gives the native decoder the facts that lines of this process contain.
   * @returns whether the decoder now knows the process
   */
  teach(known: KnownRecords, head: ProfileHead, pid: number, opening: string, label: Label): boolean {
    const { attribution, snapshot, bytes } = this
    const owner = attribution.container ?? snapshot.noContainer
    const { reason } = attribution
    const about =
      reason === undefined
        ? attribution.about.bytes
        : Buffer.concat([reasonText(reason).bytes, attribution.about.bytes])
    return known.teach({ pid, kind: known.kind, head, owner, attribution, about, opening, label }, bytes)
  }

  makeRoom(start: Fragment, middle: Fragment): void {
    const reserve = fixedTexts + this.attribution.about.length + 2 * (this.end - this.start)
    this.appArmor.reserve = reserve
    this.seccomp.reserve = reserve
    this.output.room(start.length + middle.length + reserve)
    this.lineAt = this.output.length
  }

  /** Puts the part of a text record's line between the event and the enforcer's own fields. */
  putStandardEnd(values: Values): void {
    const { id, time } = this.scratch
    time.putEnding(this.output, id.epoch)
    const end = recordEnd(this.bytes, values.fields.end)
    if (id.end > id.start) putAuditMark(values, id, time, end)
    else this.#putRawMark(values, id.body, end)
    this.putAttribution()
  }

  /** Like putStandardEnd(), for a BPF record. */
  putRecordEnd(): void {
    const { recordTime, time } = this.scratch
    time.putEnding(this.output, recordTime.epoch)
    putRecordMark(this.appArmor, recordTime, time, this.start, this.end)
    this.putAttribution()
  }

  #putRawMark(values: Values, start: number, end: number): void {
    const { rawKey, rawKeyOfKernel } = this.scratch.time
    putRawMark(values, this.live ? rawKeyOfKernel : rawKey, start, end)
  }

  /** Puts the fields about the process and its container, which follow the standard keys. */
  putAttribution(): void {
    const { reason, about } = this.attribution
    if (reason !== undefined) this.putReason(reason)
    if (about.length > 0) putFragment(this.output, about)
  }

  putReason(reason: UnresolvedReason): void {
    this.unresolved[reason] = (this.unresolved[reason] ?? 0) + 1
    putFragment(this.output, reasonText(reason))
  }

  putLineEnd(values: Values): void {
    if (values.broken.length > 0) putRaw(values)
    putFragment(this.output, lineEnd)
  }

  /** Puts a line that quotes the bytes of a record that could not be decoded. */
  putUndecoded(): void {
    this.#putUndecodedStart()
    putOddValue(this.appArmor, this.start, this.end, form.quoted, 'undecoded')
    this.putLineEnd(this.appArmor)
  }

  /** Like putUndecoded(), for a BPF record. Its bytes are not text, so the line contains them as hex. */
  putUndecodedRecord(): void {
    this.#putUndecodedStart()
    putHex(this.output, this.bytes, this.start, this.end, fixedTexts)
    this.putLineEnd(this.appArmor)
  }

  #putUndecodedStart(): void {
    const { output, snapshot, scratch } = this
    const { epoch } = scratch.id
    this.appArmor.reserve = fixedTexts
    output.room(snapshot.noContainer.refused.length + fixedTexts)
    const { noContainer } = snapshot
    const head = scratch.heads.get('', snapshot)
    const { bytes, view } = this
    scratch.kinds?.count(noContainer, undefined, head, noKind, undecodedPrefix, bytes, view, 0, 0, output.length)
    putFragment(output, snapshot.noContainer.refused)
    putFragment(output, undecodedPid)
    putFragment(output, scratch.time.seconds(epoch))
    putFragment(output, undecodedHead)
    scratch.time.putEnding(output, epoch)
    this.#putRawMark(this.appArmor, this.start, this.end)
    putFragment(output, undecodedKey)
  }
}

function middleOf(
  owner: LineOwner,
  head: ProfileHead,
  kind: number,
  epoch: number,
  mntNsID: number,
  opening: string,
): Fragment {
  const last = owner.middle
  if (
    last !== undefined &&
    last.epoch === epoch &&
    last.head === head &&
    last.kind === kind &&
    last.mntNsID === mntNsID &&
    last.opening === opening
  )
    return last.text
  const text = fragment(middleParts(head, kind, mntNsID, opening).join(`${epoch}`))
  owner.middle = { head, kind, epoch, mntNsID, opening, text }
  return text
}
