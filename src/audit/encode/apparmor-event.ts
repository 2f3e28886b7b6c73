import { Buffer } from 'node:buffer'
import { eventFields, slotOf, zeroValue } from '../decode/apparmor-fields.ts'
import type { AuditId } from '../decode/audit-id.ts'
import { form } from '../decode/record-fields.ts'
import type { EventTime } from './event-time.ts'
import type { Label } from './labels.ts'
import type { LinePiece, OpenValue } from './line-pieces.ts'
import { type Fragment, fragment, type Output, putFragment, putNumber, putRange } from './output.ts'
import { noteBroken, putProtocol, putValue, type Values } from './values.ts'

/**
 * A plan for writing `event` of AppArmor violations with the same set of present fields. The event has all fields of
 * libapparmor's record in the seed's order, and the serial number twice: `auditSubId` is the seed's spelling,
 * `auditSubID` is upstream's. Most fields are absent, so the text between two present fields is one fragment.
 */
interface EventPlan {
  present: number
  /** The text before the slot of the same index. */
  before: Fragment[]
  slots: number[]
  rest: Fragment
}

const versionOfSyntax = 1

/**
 * The start of the event, up to the value of its pid.
 * @param event number of libapparmor's aa_record_event_type
 */
export const appArmorOpening = (event: number): string => openings[event]!

const openings = Array.from({ length: 8 }, (_, event) => `{"version":${versionOfSyntax},"event":${event},"pid":`)

const taskKeys = [
  [slotOf.peerPID, fragment(',"peerPID":')],
  [slotOf.task, fragment(',"task":')],
  [slotOf.magicToken, fragment(',"magicToken":')],
] as const
const epochKey = fragment(',"epoch":')
const subIdKey = fragment(',"auditSubId":')
const subIdKeyOfUpstream = fragment(',"auditSubID":')
const auditIdKey = fragment(',"bitMask":0,"auditID":"')
const zero = fragment('0')

function makePlan(present: number): EventPlan {
  const plan: EventPlan = { present, before: [], slots: [], rest: fragment('') }
  let text = '"'
  for (const [slot, name] of eventFields.entries()) {
    text += `,"${name}":`
    if ((present & (1 << slot)) === 0) text += zeroValue(name)
    else {
      plan.before.push(fragment(text))
      plan.slots.push(slot)
      text = ''
    }
    // libapparmor never fills this field, so it does not need one of the 32 slots.
    if (name === 'errorCode') text += ',"activeHat":""'
  }
  plan.rest = fragment(`${text}}`)
  return plan
}

const plans = new Map<number, EventPlan>()
/** Maximum cached plans. The limit is needed because a process that sends records can choose any set of fields. */
const maxPlans = 1024
let lastPlan = makePlan(0)

function planOf(present: number): EventPlan {
  if (lastPlan.present === present) return lastPlan
  let plan = plans.get(present)
  if (plan === undefined) {
    if (plans.size >= maxPlans) plans.clear()
    plan = makePlan(present)
    plans.set(present, plan)
  }
  lastPlan = plan
  return plan
}

/** The slots whose value is open in a form, with the name of the open value. */
const valueOfSlot = new Map<number, OpenValue>([
  [slotOf.profile, 'profile'],
  [slotOf.comm, 'comm'],
  [slotOf.name, 'name'],
])

/**
 * The pieces of an event from its pid on. They are valid for all records that differ from the record of `values` only
 * in profile, pid, command and name. The result has the same bytes as the result of putAppArmorEvent().
 * @param hasName whether the name is also an open value
 */
export function appArmorPieces(values: Values, hasName: boolean): LinePiece[] {
  const { before, slots, rest } = planOf(values.fields.present)
  const { output } = values
  const line: LinePiece[] = [{ open: 'pid' }, 'ids', 'serial', { text: subIdKeyOfUpstream.text }, 'serial']
  line.push({ text: auditIdKey.text }, 'id')
  for (const [i, slot] of slots.entries()) {
    output.room(fixedTexts)
    putFragment(output, before[i]!)
    const value = valueOfSlot.get(slot)
    if (value === undefined || (value === 'name' && !hasName)) putValue(values, slot, eventFields[slot]!)
    else line.push({ text: takeText(output) }, value === 'profile' ? 'label' : { quoted: value })
  }
  output.room(fixedTexts)
  putFragment(output, rest)
  line.push({ text: takeText(output) })
  return line
}

/** Maximum bytes of the constant texts in an event. */
const fixedTexts = 4096

function takeText(output: Output): string {
  const text = Buffer.from(output.take()).toString('latin1')
  output.length = 0
  return text
}

/**
 * Puts the rest of the event after its opening. The output must have room for twice the record and 4 KB. Values with
 * special bytes add the room that they need.
 */
export function putAppArmorEvent(
  values: Values,
  id: AuditId,
  pid: number,
  label: Label | undefined,
  time: EventTime,
): void {
  const { output, fields } = values
  putNumber(output, pid)
  putTasks(values, time.idsKey(id.epoch), time.seconds(id.epoch))
  putIds(values, id)
  const { before, slots, rest } = planOf(fields.present)
  for (let i = 0; i < slots.length; i++) {
    putFragment(output, before[i]!)
    const slot = slots[i]!
    if (slot === slotOf.profile && label !== undefined) putLabel(values, label)
    else if (slot === slotOf.netProtocol) putProtocol(values, slot)
    else putValue(values, slot, eventFields[slot]!)
  }
  putFragment(output, rest)
}

/** Puts the text from the value of `auditSubId` to the text of `auditID`, without its closing quote. */
function putIds(values: Values, id: AuditId): void {
  const { output, bytes, view } = values
  putSerial(values, id)
  putFragment(output, subIdKeyOfUpstream)
  putSerial(values, id)
  putFragment(output, auditIdKey)
  putRange(output, bytes, view, id.start, id.end)
}

/** Puts the serial number, which is 0 for a record without an id. */
function putSerial({ output, bytes, view }: Values, id: AuditId): void {
  if (id.serialStart === id.end) putFragment(output, zero)
  else putRange(output, bytes, view, id.serialStart, id.end)
}

function putTasks(values: Values, idsKey: Fragment, seconds: Fragment): void {
  const { output, fields } = values
  const { forms } = fields
  if ((forms[slotOf.peerPID]! | forms[slotOf.task]! | forms[slotOf.magicToken]!) === form.absent) {
    putFragment(output, idsKey)
    return
  }
  for (const [slot, key] of taskKeys) {
    putFragment(output, key)
    if (forms[slot] === form.absent) putFragment(output, zero)
    else putRange(output, values.bytes, values.view, fields.starts[slot]!, fields.ends[slot]!)
  }
  putFragment(output, epochKey)
  putFragment(output, seconds)
  putFragment(output, subIdKey)
}

function putLabel(values: Values, label: Label): void {
  values.output.room(label.json.length + values.reserve)
  putFragment(values.output, label.json)
  if (label.broken) noteBroken(values, slotOf.profile, 'profile')
}
