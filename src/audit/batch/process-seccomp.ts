import { Buffer } from 'node:buffer'
import { numberIn } from '../decode/numbers.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'
import { scanFields } from '../decode/scan-fields.ts'
import { seccompSchema, seccompSlotOf as slotOf } from '../decode/seccomp-fields.ts'
import { eventKind, type ProfileHead } from '../encode/event-head.ts'
import type { EventTime } from '../encode/event-time.ts'
import { putExtra } from '../encode/extra.ts'
import type { Label } from '../encode/labels.ts'
import { putAuditMark, recordEnd } from '../encode/line-id.ts'
import { type Fragment, fragment, Output, putFragment, putRange } from '../encode/output.ts'
import {
  callOf,
  codeOf,
  putMatchedCall,
  putSeccompEvent,
  type SeccompShape,
  seccompAction,
  seccompOpening,
} from '../encode/seccomp-event.ts'
import { putValue, Values } from '../encode/values.ts'
import { type BatchContext, type Outcome, outcome } from './batch-context.ts'
import { KindPrefix } from './kind-table.ts'
import { recordCall } from './record-behaviour.ts'

const kinds = {
  DENIED: eventKind('Seccomp', 'DENIED'),
  AUDIT: eventKind('Seccomp', 'AUDIT'),
  'AUDIT|ALLOWED': eventKind('Seccomp', 'AUDIT|ALLOWED'),
}

/**
 * Decodes the seccomp record whose pairs begin at `body`, and writes it when it is ours: its subject is a profile of
 * ours, or its process is in a container of ours, or it is not known any more whose it is. The subject alone does not
 * decide: with another enforcer, or on a kernel without AppArmor, it names another profile or none.
 */
export function processSeccomp(context: BatchContext, body: number): Outcome {
  const { scratch, bytes } = context
  const fields = scratch.seccompFields
  scanFields(seccompSchema, bytes, body, context.end, fields)
  const { forms } = fields
  if (forms[slotOf.pid] !== form.digits || !hasCall(context)) return outcome.undecodable
  const pid = numberIn(fields, bytes, slotOf.pid)
  const { epoch } = scratch.id
  const label = labelOf(context)
  const ours = scratch.everything || (label?.ours ?? false)
  if (!context.place(pid, epoch, label)) return outcome.deferred
  if (!ours && isForeign(context)) return outcome.filtered
  const kind = kinds[seccompAction(codeOf(fields, bytes), numberIn(fields, bytes, slotOf.sig))]
  const head = headOf(context, label)
  // A call that was logged and let pass, of a profile that is there to record, is no violation.
  if (kind === kinds['AUDIT|ALLOWED'] && head.modelling !== undefined) return recordCall(context, head)
  learn(context, body, kind)
  context.putLineStart(head, kind, pid, epoch, seccompOpening)
  putSeccompEvent(context.seccomp, scratch.id, pid, label, scratch.time)
  context.putStandardEnd(context.seccomp)
  putOwnFields(context.seccomp)
  context.putLineEnd(context.seccomp)
  const { ends } = fields
  context.countKind(head, kind, callPrefix, bytes, context.view, countedFrom(fields), ends[slotOf.syscall]!)
  return outcome.written
}

function learn(context: BatchContext, body: number, kind: number): void {
  const { scratch, bytes, view, end, kmsg } = context
  const fields = scratch.seccompFields
  scratch.seccompTemplates.learn(bytes, view, body, end, fields, () => {
    const values = new Values(new Output(4096), bytes, view, kmsg, fields)
    putOwnFields(values)
    const own = Buffer.from(values.output.take()).toString('latin1')
    const ip = own.indexOf(ipOpening) + ipOpening.length
    const middle = fields.ends[slotOf.exe]! + 1
    return {
      kind,
      call: callOf(values),
      ownFields: fragment(own.slice(0, ip)),
      closing: fragment(`${own.slice(ip + fields.ends[slotOf.ip]! - fields.starts[slotOf.ip]!)}}\n`),
      added: end - recordEnd(bytes, fields.end),
      ending: fragment(''),
      endingEpoch: -1,
      countStart: countedFrom(fields) - middle,
      countEnd: fields.ends[slotOf.syscall]! - middle,
    }
  })
}

/**
 * Writes the record whose pairs begin at `body` if a template knows it. On success `context.end` is at its newline;
 * otherwise nothing has happened.
 * @param end offset of the newline, where the caller knows it; else -1.
 */
export function processKnownSeccomp(context: BatchContext, body: number, end: number): Outcome | undefined {
  const { scratch, bytes, view } = context
  const { seccompTemplates: templates, id } = scratch
  const shape = templates.match(bytes, view, body)
  if (shape === undefined || (end !== -1 && end !== templates.end)) return undefined
  if (end === -1) context.end = context.recordEnd = templates.end
  const label = matchedLabel(context)
  if (!context.place(templates.pid, id.epoch, label)) return outcome.deferred
  if (!label.ours && !scratch.everything && isForeign(context)) return outcome.filtered
  const head = headOf(context, label)
  // The scanner finds all that a recording needs.
  if (head.modelling !== undefined && shape.kind === kinds['AUDIT|ALLOWED']) return undefined
  scratch.attributions.noteLabel(templates.pid, label)
  writeMatched(context, shape, label, head)
  return outcome.written
}

function matchedLabel({ scratch, bytes, view, kmsg, snapshot }: BatchContext): Label {
  const { subjStart, subjEnd, pid } = scratch.seccompTemplates
  const last = scratch.attributions.lastLabel(pid)
  if (last?.literal?.length === subjEnd - subjStart && last.literal.isAt(view, subjStart)) return last
  return scratch.subjects.get(bytes, view, subjStart, subjEnd, form.bare, kmsg, snapshot)
}

function writeMatched(context: BatchContext, shape: SeccompShape, label: Label, head: ProfileHead): void {
  const { scratch, bytes, view, output, seccomp: values } = context
  const { seccompTemplates: templates, id, time } = scratch
  const { kind } = shape
  const start = context.lineStart(kind)
  const middle = context.lineMiddle(head, kind, id.epoch, seccompOpening)
  context.makeRoom(start, middle)
  putMatchedCall(values, start, middle, templates, id, label, time)
  putFragment(output, endingOf(shape, id.epoch, time))
  putAuditMark(values, id, time, templates.end - shape.added)
  context.putAttribution()
  putFragment(output, shape.ownFields)
  putRange(output, bytes, view, templates.ipStart, templates.ipEnd)
  putFragment(output, shape.closing)
  const { middleStart } = templates
  const { countStart, countEnd } = shape
  context.countKind(head, kind, callPrefix, bytes, view, middleStart + countStart, middleStart + countEnd)
}

function endingOf(shape: SeccompShape, epoch: number, time: EventTime): Fragment {
  if (shape.endingEpoch !== epoch) {
    shape.ending = fragment(`${shape.call.text}${time.ending(epoch).text}`)
    shape.endingEpoch = epoch
  }
  return shape.ending
}

const callPrefix = new KindPrefix('syscall')

/** A call is counted with its architecture, which stands before it in the kernel's records. */
function countedFrom({ forms, starts }: RecordFields): number {
  const call = starts[slotOf.syscall]!
  const arch = forms[slotOf.arch] === form.absent ? call : starts[slotOf.arch]!
  return arch < call && call - arch < 32 ? arch : call
}

/** The number of a call, or the -1 that stands for none. */
function hasCall({ bytes, scratch }: BatchContext): boolean {
  const { starts, ends, forms } = scratch.seccompFields
  const start = starts[slotOf.syscall]!
  return forms[slotOf.syscall] !== form.absent && isWholeNumber(bytes, start, ends[slotOf.syscall]!)
}

/** The process is known not to be protected: outside of all containers, or in one that no policy protects. */
function isForeign({ attribution }: BatchContext): boolean {
  if (attribution.reason === 'not-in-container') return true
  return attribution.container?.info.profileName === ''
}

/** The profile of the subject where that is ours, else the one of the container: a subject may be any LSM's. */
function headOf({ scratch, snapshot, attribution }: BatchContext, label: Label | undefined): ProfileHead {
  if (label?.ours) return label.head
  const profileName = attribution.container?.info.profileName ?? ''
  if (profileName !== '' || label === undefined) return scratch.heads.get(profileName, snapshot)
  return label.head
}

function labelOf({ scratch, bytes, view, kmsg, snapshot }: BatchContext): Label | undefined {
  const { forms, starts, ends } = scratch.seccompFields
  if (forms[slotOf.subj] === form.absent) return undefined
  let start = starts[slotOf.subj]!
  let end = ends[slotOf.subj]!
  if (bytes[start] === 0x22) start++
  if (end > start && bytes[end - 1] === 0x22) end--
  return scratch.subjects.get(bytes, view, start, end, form.bare, kmsg, snapshot)
}

/** As JSON has it: a sign, and no leading zero. */
function isWholeNumber(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start] === 0x2d ? start + 1 : start
  if (first >= end || end - first > 20 || (bytes[first] === 0x30 && end - first > 1)) return false
  for (let at = first; at < end; at++) if (bytes[at]! < 0x30 || bytes[at]! > 0x39) return false
  return true
}

/** Ours, after the standard keys: the other pairs of the record, numbers as numbers. */
const ownFields = (['sig', 'arch', 'compat', 'ip', 'code', 'uid', 'gid'] as const).map((name) => ({
  slot: slotOf[name],
  name,
  key: fragment(`,"${name}":`),
}))
const callKey = fragment(',"syscallNumber":')
/** Its quotes are escaped where they stand in a value. */
const ipOpening = ',"ip":"'

function putOwnFields(values: Values): void {
  const { output, fields } = values
  const { starts, ends, forms, extraCount } = fields
  putFragment(output, callKey)
  putRange(output, values.bytes, values.view, starts[slotOf.syscall]!, ends[slotOf.syscall]!)
  for (const { slot, name, key } of ownFields) {
    if (forms[slot] === form.absent) continue
    putFragment(output, key)
    putValue(values, slot, name)
  }
  if (extraCount > 0) putExtra(values)
}
