import { type SyscallArchitecture, syscallName } from '../../api/linux-syscalls.ts'
import type { AuditId } from '../decode/audit-id.ts'
import { readDecimal, readHex } from '../decode/numbers.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'
import { seccompSlotOf as slotOf } from '../decode/seccomp-fields.ts'
import type { EventTime } from './event-time.ts'
import { asciiJson } from './json-text.ts'
import type { Label } from './labels.ts'
import type { LinePiece } from './line-pieces.ts'
import { type Fragment, fragment, putFragment, putNumber, putRange } from './output.ts'
import { noteBroken, putValue, type Values } from './values.ts'

/** The architecture's name in syscall tables, for each AUDIT_ARCH_… (include/uapi/linux/audit.h). */
const architectures: ReadonlyMap<number, SyscallArchitecture> = new Map([
  [0xc000_003e, 'x86_64'],
  [0x4000_0003, 'i386'],
  [0xc000_00b7, 'aarch64'],
  [0x4000_0028, 'arm'],
  [0xc000_00f3, 'riscv64'],
])

/** Set in call numbers of the x32 ABI (__X32_SYSCALL_BIT). Numbers below 512 mean the same calls as on x86-64. */
const x32Bit = 0x4000_0000

/**
 * The name of a call on an architecture, such as `unshare` for 272 on c000003e. The name is `unknown(9999)` if the
 * architecture does not have call 9999, or is not supported.
 */
export function nameOfCall(arch: number, number: number): string {
  const architecture = architectures.get(arch)
  const plain = architecture === 'x86_64' && number >= x32Bit ? number - x32Bit : number
  const name = architecture === undefined ? undefined : syscallName(plain, architecture)
  return name ?? `unknown(${number})`
}

/** Maximum cached texts for each architecture; larger numbers are rare. */
const maxNumbers = 1024
const namesOfArch = new Map<number, (Fragment | undefined)[]>([...architectures.keys()].map((arch) => [arch, []]))

const callText = (name: string): Fragment => fragment(`,"syscall":${asciiJson(name)}}`)

/** The text from the end of `exe` to the end of the event. */
export function callOf({ bytes, fields: { starts, ends, forms } }: Values): Fragment {
  const arch = forms[slotOf.arch] === form.absent ? -1 : readHex(bytes, starts[slotOf.arch]!, ends[slotOf.arch]!)
  const number = readDecimal(bytes, starts[slotOf.syscall]!, ends[slotOf.syscall]!)
  // A tracer set the number to -1 to skip the call, or the process itself called -1.
  if (number === -1) return callText('unknown(-1)')
  const names = namesOfArch.get(arch)
  if (names === undefined || number >= maxNumbers) return callText(nameOfCall(arch, number))
  let text = names[number]
  if (text === undefined) {
    text = callText(nameOfCall(arch, number))
    names[number] = text
  }
  return text
}

/** SECCOMP_RET_… (include/uapi/linux/seccomp.h), without the data in the lower half. */
const returns = { KILL_PROCESS: 0x8000_0000, KILL_THREAD: 0, TRAP: 0x3_0000, ERRNO: 0x5_0000, LOG: 0x7ffc_0000 }

/** The filter that refused a call: the container's filter, or a filter that a process in the container has set. */
export type RefusingFilter = 'container' | 'workload'

/**
 * Actions by which a filter refuses a call without killing the process. For these actions, the line says which filter
 * refused the call. The kernel logs kills by any filter, so they do not show the filter.
 */
const toldApart = new Set([returns.TRAP, returns.ERRNO])

/** @param refused the calls that the container's filter refuses and reports: ContainerInfo.refusedCalls */
export function refusingFilter({ bytes, fields }: Values, refused: string): RefusingFilter | undefined {
  const { starts, ends, forms } = fields
  const code = codeOf(fields, bytes)
  if (!toldApart.has(code - (code % 0x1_0000)) || forms[slotOf.arch] === form.absent) return undefined
  const arch = readHex(bytes, starts[slotOf.arch]!, ends[slotOf.arch]!)
  const name = nameOfCall(arch, readDecimal(bytes, starts[slotOf.syscall]!, ends[slotOf.syscall]!))
  return refused.includes(`,${name},`) === refused.startsWith('+') ? 'container' : 'workload'
}

/** The start of the event. */
export const seccompOpening = '{"auditID":"'

const pidKey = fragment(',"pid":')
const commKey = fragment(',"comm":')
const exeKey = fragment(',"exe":')
const empty = fragment('""')

/** Puts the rest of a seccomp violation's `event` after its opening, with upstream's keys and zero values. */
export function putSeccompEvent(
  values: Values,
  id: AuditId,
  pid: number,
  label: Label | undefined,
  time: EventTime,
): void {
  const { output } = values
  putRange(output, values.bytes, values.view, id.start, id.end)
  putFragment(output, time.subjectKey(id.epoch))
  putSubject(values, label)
  putFragment(output, pidKey)
  putNumber(output, pid)
  putFragment(output, commKey)
  putNamed(values, slotOf.comm, 'comm')
  putFragment(output, exeKey)
  putNamed(values, slotOf.exe, 'exe')
  putFragment(output, callOf(values))
}

/**
 * The pieces of an event after its opening. They are valid for all records that differ from the record of `values` only
 * in id, subject, pid, command and executable. The result has the same bytes as the result of putSeccompEvent().
 */
export const seccompPieces = (values: Values): LinePiece[] => [
  ...(['id', 'subject', 'label'] as const),
  ...[{ text: pidKey.text }, { open: 'pid' as const }],
  ...[{ text: commKey.text }, { quoted: 'comm' as const }],
  ...[{ text: exeKey.text }, { quoted: 'exe' as const }],
  { text: callOf(values).text },
]

function putSubject(values: Values, label: Label | undefined): void {
  const json = label?.json ?? empty
  values.output.room(json.length + values.reserve)
  putFragment(values.output, json)
  if (label?.broken) noteBroken(values, slotOf.subj, 'subj')
}

function putNamed(values: Values, slot: number, name: string): void {
  if (values.fields.forms[slot] === form.absent) putFragment(values.output, empty)
  else putValue(values, slot, name)
}

/**
 * The action for the kernel's `code`. Upstream writes AUDIT|ALLOWED for every record. We write AUDIT|ALLOWED only for
 * calls that were logged and allowed (SECCOMP_RET_LOG), and DENIED for calls that were refused or killed the process.
 * AUDIT means that a tracer or supervisor handled the call, with an unknown result.
 */
export function seccompAction(code: number, signal: number): 'DENIED' | 'AUDIT' | 'AUDIT|ALLOWED' {
  if (Number.isNaN(code)) return signal === 0 ? 'AUDIT|ALLOWED' : 'DENIED'
  const action = code - (code % 0x1_0000)
  if (action === returns.LOG) return 'AUDIT|ALLOWED'
  const refused = [returns.KILL_PROCESS, returns.KILL_THREAD, returns.TRAP, returns.ERRNO]
  return refused.includes(action) ? 'DENIED' : 'AUDIT'
}

/** The number in `code=0x7ffc0000`; NaN if the record does not contain a code. */
export function codeOf({ forms, starts, ends }: RecordFields, bytes: Uint8Array): number {
  if (forms[slotOf.code] === form.absent) return Number.NaN
  const code = readHex(bytes, starts[slotOf.code]! + 2, ends[slotOf.code]!)
  return code === -1 ? Number.NaN : code
}
