import { Buffer } from 'node:buffer'
import { appArmorSchema, slotOf } from '../decode/apparmor-fields.ts'
import { numberIn } from '../decode/numbers.ts'
import { form } from '../decode/record-fields.ts'
import { scanFields } from '../decode/scan-fields.ts'
import {
  type AppArmorShape,
  appArmorOpening,
  eventShape,
  putAppArmorEvent,
  putShapedEvent,
} from '../encode/apparmor-event.ts'
import { eventKind, type ProfileHead } from '../encode/event-head.ts'
import type { EventTime } from '../encode/event-time.ts'
import { putExtra } from '../encode/extra.ts'
import type { Label } from '../encode/labels.ts'
import { putAuditMark, recordEnd } from '../encode/line-id.ts'
import { type Fragment, fragment, Output, putFragment } from '../encode/output.ts'
import { putValue, Values } from '../encode/values.ts'
import { putAppArmorKind } from './apparmor-kind.ts'
import { type BatchContext, type Outcome, outcome } from './batch-context.ts'
import { KindPrefix } from './kind-table.ts'
import { recordAppArmor } from './record-behaviour.ts'

/** aa_record_event_type of aalogparse.h. */
export const recordEvent = { invalid: 0, error: 1, audit: 2, allowed: 3, denied: 4, hint: 5, status: 6 } as const

/** Kinds of violations by aa_record_event_type; the others are no violations. */
export const kinds = [
  -1,
  -1,
  eventKind('AppArmor', 'AUDIT'),
  eventKind('AppArmor', 'ALLOWED'),
  eventKind('AppArmor', 'DENIED'),
]

const allowedKind = kinds[recordEvent.allowed]!

const classKey = fragment(',"class":')
const truncatedText = fragment(',"truncated":true')
const killedText = fragment(',"killed":true')
const untrustedText = fragment(',"untrusted":true')

/** aa_record_event_type by the value of `apparmor=`. */
const events: Readonly<Record<string, number>> = {
  DENIED: recordEvent.denied,
  // The process was killed on top of it (profile flag `kill`).
  KILLED: recordEvent.denied,
  AUDIT: recordEvent.audit,
  ALLOWED: recordEvent.allowed,
  HINT: recordEvent.hint,
  STATUS: recordEvent.status,
  ERROR: recordEvent.error,
}

/** Types 1501 to 1506, by their last digit. */
const oldEvents = [
  0,
  recordEvent.audit,
  recordEvent.allowed,
  recordEvent.denied,
  recordEvent.hint,
  recordEvent.status,
  recordEvent.error,
]

/** -1 when the record is not AppArmor's: SELinux writes type 1400 too. */
export function eventOf(context: BatchContext, type: number): number {
  const { bytes } = context
  const fields = context.scratch.appArmorFields
  if (fields.forms[slotOf.apparmor] !== form.absent) {
    const start = fields.starts[slotOf.apparmor]!
    const length = fields.ends[slotOf.apparmor]! - start
    if (length === 6 && bytes[start] === 0x44) return recordEvent.denied
    if (length > 7) return recordEvent.invalid
    return events[String.fromCharCode(...bytes.subarray(start, start + length))] ?? recordEvent.invalid
  }
  const old = fields.forms[slotOf.type] === form.digits ? numberIn(fields, bytes, slotOf.type) : type
  return oldEvents[old - 1500] ?? -1
}

/** Decodes the AppArmor record whose pairs begin at `body`, and writes it when it is a violation of ours. */
export function processAppArmor(context: BatchContext, body: number, type: number): Outcome {
  const { scratch } = context
  scanAppArmor(context, body, context.end)
  const event = eventOf(context, type)
  if (event === -1) return outcome.filtered
  const label = labelOf(context)
  if (!scratch.everything && !(label?.ours ?? false)) return outcome.filtered
  if (event === recordEvent.invalid) return outcome.undecodable
  const kind = kinds[event] ?? -1
  if (kind === -1) return outcome.filtered
  // What a profile lets pass that is there to record is no violation.
  if (event === recordEvent.allowed && label?.head.modelling !== undefined) return recordAppArmor(context, label)
  // Without `apparmor=` the type gives the action, and templates do not know the type.
  if (label !== undefined && scratch.appArmorFields.forms[slotOf.apparmor] !== form.absent)
    learn(context, body, { kind, event })
  const pid = numberIn(context.appArmor.fields, context.bytes, slotOf.pid)
  return writeAppArmor(context, event, label, pid)
}

/** Reads the pairs from `start` to `end`. */
export function scanAppArmor({ bytes, scratch }: BatchContext, start: number, end: number): void {
  scanFields(appArmorSchema, bytes, start, end, scratch.appArmorFields)
}

/** Writes a violation whose pairs were read, when its container is known or need not be waited for. */
export function writeAppArmor(context: BatchContext, event: number, label: Label | undefined, pid: number): Outcome {
  const { scratch } = context
  const { epoch } = scratch.id
  const kind = kinds[event]!
  if (!context.place(pid, epoch, label)) return outcome.deferred
  const head = label?.head ?? scratch.heads.get('', context.snapshot)
  context.putLineStart(head, kind, pid, epoch, appArmorOpening(event))
  putAppArmorEvent(context.appArmor, scratch.id, pid, label, scratch.time)
  context.putStandardEnd(context.appArmor)
  putOwnFields(context.appArmor)
  context.putLineEnd(context.appArmor)
  countScanned(context, head, kind)
  return outcome.written
}

/** Writes what a process claims in the pairs that were read, as a violation of that process. */
export function writeClaim(context: BatchContext, event: number, sender: number): Outcome {
  const { scratch, snapshot } = context
  const { epoch } = scratch.id
  if (!context.place(sender, epoch, undefined)) return outcome.deferred
  // The policy of the profile that it names is not the sender's.
  const head = scratch.heads.get(context.attribution.container?.info.profileName ?? '', snapshot)
  context.putLineStart(head, kinds[event]!, sender, epoch, appArmorOpening(event))
  putAppArmorEvent(context.appArmor, scratch.id, sender, undefined, scratch.time)
  context.putStandardEnd(context.appArmor)
  putFragment(context.output, untrustedText)
  putOwnFields(context.appArmor)
  context.putLineEnd(context.appArmor)
  countScanned(context, head, kinds[event]!)
  return outcome.written
}

/** All that makes its kind stands in the bytes. */
const scannedPrefix = new KindPrefix('')

function countScanned(context: BatchContext, head: ProfileHead, kind: number): void {
  const { kinds: table, appArmorFields } = context.scratch
  if (table === undefined) return
  const { room, roomView } = table
  const length = putAppArmorKind(appArmorFields, context.bytes, room, true)
  context.countKind(head, kind, scannedPrefix, room, roomView, 0, length)
}

/** The kind of all records of one template, up to their name. */
function kindPrefix({ scratch, bytes }: BatchContext, hasName: boolean): KindPrefix {
  const { kinds: table, appArmorFields } = scratch
  if (table === undefined) return scannedPrefix
  const length = putAppArmorKind(appArmorFields, bytes, table.room, !hasName)
  return new KindPrefix(Buffer.from(table.room.buffer, 0, length).toString('latin1'))
}

function learn(context: BatchContext, body: number, { kind, event }: { kind: number; event: number }): void {
  const { scratch, bytes, view, end, kmsg } = context
  const fields = scratch.appArmorFields
  scratch.templates.learn(bytes, view, body, end, fields, (hasName) => {
    const values = new Values(new Output(1024), bytes, view, kmsg, fields)
    const { opening, profileKey, commKey, nameKey, rest } = eventShape(values, event, hasName)
    values.output.length = 0
    putOwnFields(values)
    const ownFields = Buffer.from(values.output.take()).toString('latin1')
    if (values.broken.length > 0 || !isAscii(ownFields)) return undefined
    const added = end - recordEnd(bytes, fields.end)
    const closing = fragment(`${ownFields}}\n`)
    // Key by key: a spread gives each of them a hidden class of its own, and every line pays for that (about 5 % of the pipeline).
    const ending = fragment('')
    const prefix = kindPrefix(context, hasName)
    return { opening, profileKey, commKey, nameKey, rest, kind, closing, added, ending, endingEpoch: -1, prefix }
  })
}

/**
 * Writes the record whose pairs begin at `body` if a template knows it. On success `context.end` is at its newline;
 * otherwise nothing has happened.
 * @param end offset of the newline, where the caller knows it; else -1.
 */
export function processKnownAppArmor(context: BatchContext, body: number, end: number): Outcome | undefined {
  const { scratch, bytes, view, snapshot, kmsg, output } = context
  const { templates, id } = scratch
  const shape = templates.match(bytes, view, body)
  if (shape === undefined || (end !== -1 && end !== templates.end)) return undefined
  const { profileStart, profileEnd, pid } = templates
  const last = scratch.attributions.lastLabel(pid)
  const isLast = last?.literal?.length === profileEnd - profileStart && last.literal.isAt(view, profileStart)
  const label = isLast ? last : scratch.labels.get(bytes, view, profileStart, profileEnd, form.plain, kmsg, snapshot)
  // The scanner finds all that a recording needs; nothing has happened yet.
  if (label.head.modelling !== undefined && shape.kind === allowedKind) return undefined
  if (end === -1) context.end = context.recordEnd = templates.end
  if (!label.ours && !scratch.everything) return outcome.filtered
  if (!context.place(pid, id.epoch, label)) return outcome.deferred
  if (!isLast) scratch.attributions.noteLabel(pid, label)
  const start = context.lineStart(shape.kind)
  const middle = context.lineMiddle(label.head, shape.kind, id.epoch, shape.opening)
  context.makeRoom(start, middle)
  putShapedEvent(context.appArmor, start, middle, shape, templates, id, label, scratch.time)
  putFragment(output, endingOf(shape, id.epoch, scratch.time))
  putAuditMark(context.appArmor, id, scratch.time, templates.end - shape.added)
  context.putAttribution()
  putFragment(output, shape.closing)
  const { nameStart, nameEnd } = templates
  if (nameStart === -1) context.countKind(label.head, shape.kind, shape.prefix, bytes, view, 0, 0)
  else context.countKind(label.head, shape.kind, shape.prefix, bytes, view, nameStart, nameEnd)
  return outcome.written
}

const isAscii = (text: string): boolean => Buffer.byteLength(text, 'utf8') === text.length

function endingOf(shape: AppArmorShape, epoch: number, time: EventTime): Fragment {
  if (shape.endingEpoch !== epoch) {
    shape.ending = fragment(`${shape.rest.text}${time.ending(epoch).text}`)
    shape.endingEpoch = epoch
  }
  return shape.ending
}

/** The label that the pairs name. */
export function labelOf({ scratch, bytes, view, kmsg, snapshot }: BatchContext): Label | undefined {
  const { forms, starts, ends } = scratch.appArmorFields
  const written = forms[slotOf.profile]!
  if (written === form.absent) return undefined
  return scratch.labels.get(bytes, view, starts[slotOf.profile]!, ends[slotOf.profile]!, written, kmsg, snapshot)
}

function putOwnFields(values: Values): void {
  const { output, bytes, fields } = values
  const { forms, extraCount, truncated, starts, ends } = fields
  if (truncated) putFragment(output, truncatedText)
  if (forms[slotOf.apparmor] !== form.absent && isKilled(bytes, starts[slotOf.apparmor]!, ends[slotOf.apparmor]!))
    putFragment(output, killedText)
  if (forms[slotOf.class] !== form.absent) {
    putFragment(output, classKey)
    putValue(values, slotOf.class, 'class')
  }
  if (extraCount > 0) putExtra(values)
}

const isKilled = (bytes: Uint8Array, start: number, end: number): boolean => end - start === 6 && bytes[start] === 0x4b
