import { slotOf } from '../decode/apparmor-fields.ts'
import { numberIn } from '../decode/numbers.ts'
import { form } from '../decode/record-fields.ts'
import { readSentText } from '../decode/sent-text.ts'
import type { BatchContext } from './batch-context.ts'
import { type Outcome, outcome } from './outcome.ts'
import { eventOf, kinds, labelOf, recordEvent, scanAppArmor, writeAppArmor, writeClaim } from './process-apparmor.ts'

/**
 * Decodes a record of type 1107, whose text a process sent. Containers have CAP_AUDIT_WRITE by default, which allows
 * any text, so only the host's bus daemons are trusted: they enforce AppArmor themselves. Records of other senders
 * about our profiles are counted and, if enabled, written as violations of the sender.
 */
export function processSent(context: BatchContext, body: number): Outcome {
  const { scratch, bytes } = context
  const { sent } = scratch
  if (scratch.place.audit === -1) {
    // A line of dbus-daemon in a syslog: any program can write such a line, so its sender is unknown.
    sent.pid = 0
    sent.start = body
    sent.end = context.end
  } else readSentText(bytes, body, context.end, sent)
  scanAppArmor(context, sent.start, sent.end)
  const event = scratch.appArmorFields.forms[slotOf.apparmor] === form.absent ? -1 : eventOf(context, 0)
  const isKnown = (kinds[event] ?? -1) !== -1
  if (!isKnown && event !== recordEvent.invalid) return outcome.filtered
  return isBusDaemon(context) ? processWord(context, event, isKnown) : processClaim(context, event, isKnown)
}

function processWord(context: BatchContext, event: number, isKnown: boolean): Outcome {
  const label = labelOf(context)
  if (!context.scratch.everything && !(label?.ours ?? false)) return outcome.filtered
  if (!isKnown) return outcome.undecodable
  return writeAppArmor(context, event, label, numberIn(context.appArmor.fields, context.bytes, slotOf.pid))
}

/** Handles a record of an untrusted sender. It does not use caches, because made-up records could evict all entries. */
function processClaim(context: BatchContext, event: number, isKnown: boolean): Outcome {
  const { scratch } = context
  if (!scratch.everything && !namesOurs(context)) return outcome.filtered
  const became = isKnown && scratch.logUntrusted ? writeClaim(context, event, scratch.sent.pid) : outcome.filtered
  if (became !== outcome.deferred) context.untrusted++
  return became
}

function namesOurs({ buffer, scratch }: BatchContext): boolean {
  const { forms, starts, ends } = scratch.appArmorFields
  if (forms[slotOf.profile] === form.absent) return false
  return buffer.subarray(starts[slotOf.profile]!, ends[slotOf.profile]!).includes('varmor-')
}

/** Whether the current record is a bus operation, and its sender certainly runs outside all containers. */
function isBusDaemon(context: BatchContext): boolean {
  const { scratch, bytes, snapshot, resolver } = context
  const { forms, starts, ends } = scratch.appArmorFields
  const start = starts[slotOf.operation]!
  if (forms[slotOf.operation] === form.absent || !isOfBus(bytes, start, ends[slotOf.operation]!)) return false
  if (scratch.trust === 'given') return true
  const { pid } = scratch.sent
  const { reason } = scratch.attributions.find(pid, scratch.id.epoch, snapshot, resolver, context)
  return reason === 'not-in-container'
}

/** Whether the operation's name starts with `dbus_`. */
const isOfBus = (bytes: Uint8Array, start: number, end: number): boolean =>
  end - start > 5 &&
  bytes[start] === 0x64 &&
  bytes[start + 1] === 0x62 &&
  bytes[start + 2] === 0x75 &&
  bytes[start + 3] === 0x73 &&
  bytes[start + 4] === 0x5f
