import { numberIn } from '../decode/numbers.ts'
import { form } from '../decode/record-fields.ts'
import { scanFields } from '../decode/scan-fields.ts'
import { seccompSchema, seccompSlotOf as slotOf } from '../decode/seccomp-fields.ts'
import { eventKind, type ProfileHead } from '../encode/event-head.ts'
import { putExtra } from '../encode/extra.ts'
import type { Label } from '../encode/labels.ts'
import { fragment, putFragment, putRange } from '../encode/output.ts'
import { codeOf, putSeccompEvent, seccompAction, seccompOpening } from '../encode/seccomp-event.ts'
import { putValue } from '../encode/values.ts'
import { type BatchContext, type Outcome, outcome } from './batch-context.ts'
import { KindPrefix } from './kind-table.ts'

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
  context.putLineStart(head, kind, pid, epoch, seccompOpening)
  putSeccompEvent(context.seccomp, scratch.id, pid, label, scratch.time)
  context.putStandardEnd(context.seccomp)
  putOwnFields(context)
  countCall(context, head, kind)
  return outcome.written
}

const callPrefix = new KindPrefix('syscall')

/** By call and architecture, which stand side by side in the kernel's records. */
function countCall(context: BatchContext, head: ProfileHead, kind: number): void {
  const { bytes, view, scratch } = context
  const { forms, starts, ends } = scratch.seccompFields
  const call = starts[slotOf.syscall]!
  const arch = forms[slotOf.arch] === form.absent ? call : starts[slotOf.arch]!
  const isBeside = arch < call && call - arch < 32
  context.countKind(head, kind, callPrefix, bytes, view, isBeside ? arch : call, ends[slotOf.syscall]!)
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

function putOwnFields(context: BatchContext): void {
  const { seccomp: values, output, scratch } = context
  const { starts, ends, forms, extraCount } = scratch.seccompFields
  putFragment(output, callKey)
  putRange(output, values.bytes, values.view, starts[slotOf.syscall]!, ends[slotOf.syscall]!)
  for (const { slot, name, key } of ownFields) {
    if (forms[slot] === form.absent) continue
    putFragment(output, key)
    putValue(values, slot, name)
  }
  if (extraCount > 0) putExtra(values)
  context.putLineEnd(values)
}
