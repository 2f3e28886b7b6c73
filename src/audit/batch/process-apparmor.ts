import { Buffer } from 'node:buffer'
import { appArmorSchema, slotOf } from '../decode/apparmor-fields.ts'
import { numberIn } from '../decode/numbers.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'
import { scanFields } from '../decode/scan-fields.ts'
import { appArmorOpening, appArmorPieces, putAppArmorEvent } from '../encode/apparmor-event.ts'
import { eventKind, type ProfileHead } from '../encode/event-head.ts'
import { putExtra } from '../encode/extra.ts'
import type { Label } from '../encode/labels.ts'
import { recordEnd } from '../encode/line-id.ts'
import { lineOpening, standardEnd } from '../encode/line-pieces.ts'
import { fragment, isAscii, Output, putFragment } from '../encode/output.ts'
import { putValue, Values } from '../encode/values.ts'
import { putAppArmorKind } from './apparmor-kind.ts'
import type { BatchContext } from './batch-context.ts'
import { KindPrefix } from './kind-table.ts'
import { family } from './known-addon.ts'
import { type KnownRecords, type OpenSlots, type RecordForm, roomOfForm } from './known-records.ts'
import { type Outcome, outcome } from './outcome.ts'
import { recordAppArmor } from './record-behaviour.ts'

/** Values of aa_record_event_type in aalogparse.h. */
export const recordEvent = { invalid: 0, error: 1, audit: 2, allowed: 3, denied: 4, hint: 5, status: 6 } as const

/** Kinds of violations by aa_record_event_type; -1: not a violation. */
export const kinds = [
  -1,
  -1,
  eventKind('AppArmor', 'AUDIT'),
  eventKind('AppArmor', 'ALLOWED'),
  eventKind('AppArmor', 'DENIED'),
]

const classKey = fragment(',"class":')
const truncatedText = fragment(',"truncated":true')
const killedText = fragment(',"killed":true')
const untrustedText = fragment(',"untrusted":true')

/** aa_record_event_type by the value of `apparmor=`. */
const events: Readonly<Record<string, number>> = {
  DENIED: recordEvent.denied,
  // The process was also killed (profile flag `kill`).
  KILLED: recordEvent.denied,
  AUDIT: recordEvent.audit,
  ALLOWED: recordEvent.allowed,
  HINT: recordEvent.hint,
  STATUS: recordEvent.status,
  ERROR: recordEvent.error,
}

/** aa_record_event_type of the record types 1501 to 1506, by the last digit of the type. */
const oldEvents = [
  0,
  recordEvent.audit,
  recordEvent.allowed,
  recordEvent.denied,
  recordEvent.hint,
  recordEvent.status,
  recordEvent.error,
]

/** The record's aa_record_event_type; -1 for a record of SELinux, which also uses type 1400. */
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

/** Decodes the AppArmor record with pairs from `body`, and writes it if it is a violation of ours. */
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
  // An allowed operation under a recording profile is not a violation.
  if (event === recordEvent.allowed && label?.head.modelling !== undefined) return recordAppArmor(context, label)
  learn(context, body, event)
  const pid = numberIn(context.appArmor.fields, context.bytes, slotOf.pid)
  return writeAppArmor(context, event, label, pid)
}

/**
 * Finds the process of a record of a known form.
 * @returns the outcome of the record; `taught` if the native decoder now knows the process and can write the line;
 * undefined if the record must be scanned
 */
export function processMatchedAppArmor(context: BatchContext, known: KnownRecords): Outcome | 'taught' | undefined {
  const { bytes, view, scratch, snapshot } = context
  const [start, end] = [known.startOf('profile'), known.endOf('profile')]
  const label = scratch.labels.get(bytes, view, start, end, form.plain, false, snapshot)
  if (!label.ours && !scratch.everything) {
    known.passOver(label, bytes)
    return outcome.filtered
  }
  // A recording needs facts that only the scanner finds.
  if (label.head.modelling !== undefined && known.kind === kinds[recordEvent.allowed]) return undefined
  const pid = known.pidIn(bytes)
  if (!context.place(pid, scratch.id.epoch, label)) return outcome.deferred
  return context.teach(known, label.head, pid, appArmorOpening(kinds.indexOf(known.kind)), label) ? 'taught' : undefined
}

/** Reads the pairs from `start` to `end`. */
export function scanAppArmor({ bytes, scratch }: BatchContext, start: number, end: number): void {
  scanFields(appArmorSchema, bytes, start, end, scratch.appArmorFields)
}

/** Writes the violation of the scanned pairs, unless it must wait for its container. */
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

/** Writes the scanned pairs, with which a process claims a violation, as a line about the process that sent them. */
export function writeClaim(context: BatchContext, event: number, sender: number): Outcome {
  const { scratch, snapshot } = context
  const { epoch } = scratch.id
  if (!context.place(sender, epoch, undefined)) return outcome.deferred
  // The profile that the claim names does not belong to the sender.
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

/** Empty, because putAppArmorKind() puts the whole kind. */
const scannedPrefix = new KindPrefix('')

function countScanned(context: BatchContext, head: ProfileHead, kind: number): void {
  const { kinds: table, appArmorFields } = context.scratch
  if (table === undefined) return
  const { room, roomView } = table
  const length = putAppArmorKind(appArmorFields, context.bytes, room, true)
  context.countKind(head, kind, scannedPrefix, room, roomView, 0, length)
}

/** Bits of the fields that a form may contain: fields with few values on a node, and fields that a form leaves open. */
const fewValued = (
  [
    ...['operation', 'deniedMask', 'requestedMask', 'fsuid', 'ouid', 'info', 'errorCode', 'namespace'],
    ...['profile', 'name', 'comm'],
  ] as (keyof typeof slotOf)[]
).reduce((mask, name) => mask | (1 << slotOf[name]), 0)

const tasks = [slotOf.peerPID, slotOf.task, slotOf.magicToken]

function isLearnable({ present, forms, extraCount, truncated }: RecordFields): boolean {
  if ((present & ~fewValued) !== 0 || extraCount > 1 || truncated) return false
  if (forms.some((written) => written !== form.absent && written !== form.plain && written !== form.digits))
    return false
  // Task ids are different in each record, so a form would match only its own record.
  if (tasks.some((slot) => forms[slot] !== form.absent)) return false
  return forms[slotOf.profile] === form.plain && forms[slotOf.comm] === form.plain && forms[slotOf.pid] === form.digits
}

const openSlots: OpenSlots = [
  ['profile', slotOf.profile],
  ['pid', slotOf.pid],
  ['comm', slotOf.comm],
]
const withName: OpenSlots = [...openSlots, ['name', slotOf.name]]

/** Stores the form of the scanned record for the native decoder. */
function learn(context: BatchContext, body: number, event: number): void {
  const { scratch, bytes, end, known } = context
  const fields = scratch.appArmorFields
  // Without `apparmor=` the type decides the action, but forms do not include the type.
  const isOfForm = fields.forms[slotOf.apparmor] !== form.absent && end < bytes.length && isLearnable(fields)
  if (known === undefined || !isOfForm || !known.wantsForm(body, end)) return
  const hasName = fields.forms[slotOf.name] === form.plain
  const recordForm = formOf(context, event, hasName)
  if (recordForm !== undefined)
    known.learn(family.appArmor, bytes, body, end, fields, hasName ? withName : openSlots, recordForm)
}

function formOf(context: BatchContext, event: number, hasName: boolean): RecordForm | undefined {
  const { scratch, bytes, view, end, kmsg } = context
  const fields = scratch.appArmorFields
  const values = new Values(new Output(roomOfForm), bytes, view, kmsg, fields)
  const inEvent = appArmorPieces(values, hasName)
  values.output.length = 0
  putOwnFields(values)
  const ownFields = Buffer.from(values.output.take()).toString('latin1')
  if (values.broken.length > 0 || !isAscii(ownFields)) return undefined
  return {
    kind: kinds[event]!,
    prefix: scannedPrefix.number,
    added: end - recordEnd(bytes, fields.end),
    counted: { text: countedText(context, !hasName), ...(hasName && { value: 'name' }) },
    line: [...lineOpening, ...inEvent, ...standardEnd, { text: `${ownFields}}\n` }],
  }
}

/** The key under which countScanned() counts all records of a form. An open name, if any, follows the key. */
function countedText({ scratch, bytes }: BatchContext, withName: boolean): string {
  const { kinds: table, appArmorFields } = scratch
  if (table === undefined) return ''
  const length = putAppArmorKind(appArmorFields, bytes, table.room, withName)
  return Buffer.from(table.room.buffer, 0, length).toString('latin1')
}

/** The label in the pairs. */
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
