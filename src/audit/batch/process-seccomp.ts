import { Buffer } from 'node:buffer'
import { numberIn } from '../decode/numbers.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'
import { scanFields } from '../decode/scan-fields.ts'
import { seccompSchema, seccompSlotOf as slotOf } from '../decode/seccomp-fields.ts'
import { eventKind, type ProfileHead } from '../encode/event-head.ts'
import { putExtra } from '../encode/extra.ts'
import type { Label } from '../encode/labels.ts'
import { recordEnd } from '../encode/line-id.ts'
import { lineOpening, standardEnd } from '../encode/line-pieces.ts'
import { fragment, isAscii, Output, putFragment, putRange } from '../encode/output.ts'
import {
  codeOf,
  putSeccompEvent,
  refusingFilter,
  seccompAction,
  seccompOpening,
  seccompPieces,
} from '../encode/seccomp-event.ts'
import { putValue, Values } from '../encode/values.ts'
import type { BatchContext } from './batch-context.ts'
import { KindPrefix } from './kind-table.ts'
import { family } from './known-addon.ts'
import { type KnownRecords, type OpenSlots, type RecordForm, roomOfForm } from './known-records.ts'
import { type Outcome, outcome } from './outcome.ts'
import { recordCall } from './record-behaviour.ts'

const kinds = {
  DENIED: eventKind('Seccomp', 'DENIED'),
  AUDIT: eventKind('Seccomp', 'AUDIT'),
  'AUDIT|ALLOWED': eventKind('Seccomp', 'AUDIT|ALLOWED'),
}

/**
 * Decodes the seccomp record whose pairs start at `body`. Writes the record if its subject is one of our profiles, if
 * its process is in one of our containers, or if its container is unknown. The subject alone is not enough: without our
 * AppArmor enforcer, it is empty or names a profile that is not ours.
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
  // A logged and allowed call under a recording profile is not a violation.
  if (kind === kinds['AUDIT|ALLOWED'] && head.modelling !== undefined) return recordCall(context, head)
  const refused = kind === kinds.DENIED ? context.attribution.container?.info.refusedCalls : undefined
  if (refused === undefined) learn(context, body, kind)
  context.putLineStart(head, kind, pid, epoch, seccompOpening)
  putSeccompEvent(context.seccomp, scratch.id, pid, label, scratch.time)
  context.putStandardEnd(context.seccomp)
  putOwnFields(context.seccomp)
  if (refused !== undefined) putFilter(context.seccomp, refused)
  context.putLineEnd(context.seccomp)
  const { ends } = fields
  context.countKind(head, kind, callPrefix, bytes, context.view, countedFrom(fields), ends[slotOf.syscall]!)
  return outcome.written
}

/**
 * Finds the process of a record of a known form.
 * @returns as processMatchedAppArmor()
 */
export function processMatchedSeccomp(context: BatchContext, known: KnownRecords): Outcome | 'taught' | undefined {
  const { bytes, view, scratch, snapshot } = context
  const [start, end] = [known.startOf('profile'), known.endOf('profile')]
  const label = scratch.subjects.get(bytes, view, start, end, form.bare, false, snapshot)
  const pid = known.pidIn(bytes)
  if (!context.place(pid, scratch.id.epoch, label)) return outcome.deferred
  if (!label.ours && !scratch.everything && isForeign(context)) return outcome.filtered
  const head = headOf(context, label)
  // A recording needs facts that only the scanner finds.
  if (head.modelling !== undefined && known.kind === kinds['AUDIT|ALLOWED']) return undefined
  // The line must say which filter refused the call, and only the scanner can add this.
  if (known.kind === kinds.DENIED && context.attribution.container?.info.refusedCalls !== undefined) return undefined
  return context.teach(known, head, pid, seccompOpening, label) ? 'taught' : undefined
}

const openSlots = [
  ['profile', slotOf.subj],
  ['pid', slotOf.pid],
  ['comm', slotOf.comm],
  ['exe', slotOf.exe],
  ['ip', slotOf.ip],
] as const satisfies OpenSlots

/** The written form of each value in a usual record. */
const usual = [
  [slotOf.subj, form.bare],
  [slotOf.pid, form.digits],
  [slotOf.comm, form.plain],
  [slotOf.exe, form.plain],
  [slotOf.syscall, form.bare],
  [slotOf.ip, form.bare],
  [slotOf.arch, form.bare],
] as const

const { subj, pid, comm, exe, arch, syscall, ip } = slotOf
const kernelOrder = [subj, pid, comm, exe, arch, syscall, ip]

/** Whether the record is usual: its values have the usual forms and the kernel's order. */
function isLearnable({ forms, starts, ends, extraCount, truncated }: RecordFields): boolean {
  if (extraCount > 0 || truncated || usual.some(([slot, written]) => forms[slot] !== written)) return false
  return kernelOrder.every((slot, i) => i === 0 || ends[kernelOrder[i - 1]!]! < starts[slot]!)
}

/** Stores the form of the scanned record for the native decoder. */
function learn(context: BatchContext, body: number, kind: number): void {
  const { scratch, bytes, end, known } = context
  const fields = scratch.seccompFields
  if (known === undefined || end >= bytes.length || !isLearnable(fields) || !known.wantsForm(body, end)) return
  const recordForm = formOf(context, kind)
  if (recordForm !== undefined) known.learn(family.seccomp, bytes, body, end, fields, openSlots, recordForm)
}

function formOf(context: BatchContext, kind: number): RecordForm | undefined {
  const { scratch, bytes, view, end, kmsg } = context
  const fields = scratch.seccompFields
  const { starts, ends } = fields
  const values = new Values(new Output(roomOfForm), bytes, view, kmsg, fields)
  putOwnFields(values)
  const own = Buffer.from(values.output.take()).toString('latin1')
  if (values.broken.length > 0 || !isAscii(own)) return undefined
  const ip = own.indexOf(ipOpening) + ipOpening.length
  const closing = own.slice(ip + ends[slotOf.ip]! - starts[slotOf.ip]!)
  return {
    kind,
    prefix: callPrefix.number,
    added: end - recordEnd(bytes, fields.end),
    counted: { text: Buffer.from(bytes.subarray(countedFrom(fields), ends[slotOf.syscall])).toString('latin1') },
    line: [
      ...lineOpening,
      ...seccompPieces(values),
      ...standardEnd,
      ...[{ text: own.slice(0, ip) }, { open: 'ip' as const }, { text: `${closing}}\n` }],
    ],
  }
}

const callPrefix = new KindPrefix('syscall')

/**
 * Offset of the part that counts as the kind. It starts with the architecture if this is just before the call, as in
 * the kernel's records; otherwise with the call.
 */
function countedFrom({ forms, starts }: RecordFields): number {
  const call = starts[slotOf.syscall]!
  const arch = forms[slotOf.arch] === form.absent ? call : starts[slotOf.arch]!
  return arch < call && call - arch < 32 ? arch : call
}

/** Whether the record has the number of a call. Negative numbers are valid: the kernel writes -1. */
function hasCall({ bytes, scratch }: BatchContext): boolean {
  const { starts, ends, forms } = scratch.seccompFields
  const start = starts[slotOf.syscall]!
  return forms[slotOf.syscall] !== form.absent && isWholeNumber(bytes, start, ends[slotOf.syscall]!)
}

/** Whether the process is certainly unprotected: outside all containers, or in a container without a policy. */
function isForeign({ attribution }: BatchContext): boolean {
  if (attribution.reason === 'not-in-container') return true
  return attribution.container?.info.profileName === ''
}

/** The subject's profile if it is ours, otherwise the container's profile. The subject may belong to any LSM. */
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

/** Whether the bytes are an integer that JSON allows: an optional minus, and digits without a leading zero. */
function isWholeNumber(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start] === 0x2d ? start + 1 : start
  if (first >= end || end - first > 20 || (bytes[first] === 0x30 && end - first > 1)) return false
  for (let at = first; at < end; at++) if (bytes[at]! < 0x30 || bytes[at]! > 0x39) return false
  return true
}

/** Our fields after the standard keys: the other pairs of the record, with numbers as numbers. */
const ownFields = (['sig', 'arch', 'compat', 'ip', 'code', 'uid', 'gid'] as const).map((name) => ({
  slot: slotOf[name],
  name,
  key: fragment(`,"${name}":`),
}))
const callKey = fragment(',"syscallNumber":')
/** Includes the opening quote, so that the text occurs only as a key: inside a value, quotes are escaped. */
const ipOpening = ',"ip":"'

const filters = { container: fragment(',"filter":"container"'), workload: fragment(',"filter":"workload"') }

function putFilter(values: Values, refused: string): void {
  const filter = refusingFilter(values, refused)
  if (filter !== undefined) putFragment(values.output, filters[filter])
}

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
