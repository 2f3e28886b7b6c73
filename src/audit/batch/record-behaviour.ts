import { slotOf } from '../decode/apparmor-fields.ts'
import { numberIn, readDecimal, readHex } from '../decode/numbers.ts'
import { form } from '../decode/record-fields.ts'
import { seccompSlotOf } from '../decode/seccomp-fields.ts'
import type { ProfileHead } from '../encode/event-head.ts'
import type { Label } from '../encode/labels.ts'
import { nameOfCall } from '../encode/seccomp-event.ts'
import { addAppArmorFact, appArmorKey } from '../model/apparmor-facts.ts'
import { addBpfFact, type BpfParts, bpfKey } from '../model/bpf-facts.ts'
import { type RecordPairs, textOf } from '../model/record-text.ts'
import type { ProfileRecording } from '../model/recorded.ts'
import type { BatchContext } from './batch-context.ts'
import { type Outcome, outcome } from './outcome.ts'

/**
 * Adds the scanned AppArmor record to the recording of its profile, and does not write a line. If all its facts are
 * known, the record is counted without a look-up of its process.
 */
export function recordAppArmor(context: BatchContext, label: Label): Outcome {
  const { scratch, appArmor } = context
  const { modelling = '', profileName } = label.head
  if (modelling === '') return outcome.filtered
  const recording = scratch.recordings.of(profileName, modelling)
  const pairs = pairsOf(context, appArmor.fields)
  const key = appArmorKey(pairs)
  if (!recording.knows(key)) {
    const pid = numberIn(appArmor.fields, context.bytes, slotOf.pid)
    if (!context.place(pid, scratch.id.epoch, label)) return outcome.deferred
    if (!teaches(context, label.head, recording)) return outcome.filtered
    recording.note(key)
    addAppArmorFact(pairs, recording)
  }
  recording.records++
  return outcome.filtered
}

/** Adds the call in the scanned seccomp record to the recording. The caller has looked up the container. */
export function recordCall(context: BatchContext, head: ProfileHead): Outcome {
  const { scratch, seccomp, bytes } = context
  const { modelling = '', profileName } = head
  if (modelling === '' || isForeign(context, head)) return outcome.filtered
  const recording = scratch.recordings.of(profileName, modelling)
  const { starts, ends, forms } = seccomp.fields
  const pairs = pairsOf(context, seccomp.fields)
  if (isOfRuntime(textOf(pairs, seccompSlotOf.comm), textOf(pairs, seccompSlotOf.exe))) {
    recording.ofRuntime++
    return outcome.filtered
  }
  const { arch, syscall } = seccompSlotOf
  const architecture = forms[arch] === form.absent ? -1 : readHex(bytes, starts[arch]!, ends[arch]!)
  const number = readDecimal(bytes, starts[syscall]!, ends[syscall]!)
  const key = `call ${architecture} ${number}`
  if (!recording.knows(key)) {
    if (!teaches(context, head, recording)) return outcome.filtered
    recording.note(key)
    // A profile cannot allow a number without a name.
    const name = nameOfCall(architecture, number)
    if (!name.startsWith('unknown(')) recording.addCall(name)
  }
  recording.records++
  return outcome.filtered
}

/** Adds a BPF record to the recording. The caller has looked up the container. */
export function recordBpf(
  context: BatchContext,
  head: ProfileHead,
  of: Omit<BpfParts, 'bytes' | 'view' | 'buffer'>,
): Outcome {
  const { scratch, bytes, view, buffer } = context
  const { modelling = '', profileName } = head
  if (modelling === '' || isForeign(context, head)) return outcome.filtered
  const recording = scratch.recordings.of(profileName, modelling)
  const parts = { ...of, bytes, view, buffer }
  const key = bpfKey(parts)
  if (!recording.knows(key)) {
    if (!teaches(context, head, recording)) return outcome.filtered
    recording.note(key)
    addBpfFact(parts, recording)
  }
  recording.records++
  return outcome.filtered
}

/**
 * Whether the event certainly does not come from a workload of the profile's policy. A process may enter the profile
 * from elsewhere, and a pod of another namespace may name the profile. The profile confines them, but they must not
 * change its model.
 */
function isForeign({ attribution: { container, reason } }: BatchContext, head: ProfileHead): boolean {
  if (container !== undefined) return !head.isOf(container.info)
  return reason === 'profile-mismatch' || reason === 'not-in-container'
}

/**
 * Whether the event comes from a workload of the profile's policy. An event of unknown origin is counted as lost,
 * because the model may lack its facts.
 */
function teaches(context: BatchContext, head: ProfileHead, recording: ProfileRecording): boolean {
  if (isForeign(context, head)) return false
  if (context.attribution.container !== undefined) return true
  recording.lost++
  return false
}

const pairsOf = ({ bytes, buffer, kmsg }: BatchContext, fields: RecordPairs['fields']): RecordPairs => ({
  fields,
  bytes,
  buffer,
  kmsg,
})

/**
 * The name that runc gives the thread that becomes a container's process, and the files that runc runs from: its own
 * file, or a copy in memory.
 */
const runtimeThread = /^runc:\[/
const runtimeProgram = /(^|\/)runc(\.[a-z0-9-]+)?$|^\/memfd:runc_cloned:/

/**
 * Whether the process is the container runtime. The container's filter already restricts the runtime before it starts
 * the container's program. A process can choose its name, but not the program's path, which comes from the kernel.
 */
export const isOfRuntime = (comm = '', exe = ''): boolean => runtimeThread.test(comm) && runtimeProgram.test(exe)
