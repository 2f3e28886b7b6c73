import { appArmorSchema, slotOf } from '../decode/apparmor-fields.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'

/** What beside its name an operation of AppArmor is about. */
const objectSlots = (
  [
    ...['operation', 'name2', 'srcName', 'netFamily', 'netSockType', 'netProtocol'],
    ...['dbusBus', 'dbusPath', 'dbusInterface', 'dbusMember', 'signal', 'peer', 'peerProfile', 'fsType'],
  ] as const
).map((name) => slotOf[name as keyof typeof slotOf])
const foreign = [slotOf.netForeignAddr, slotOf.netForeignPort]
/** Of a connection the system chooses these. */
const local = [slotOf.netLocalAddr, slotOf.netLocalPort]

/** Those that the kernel writes as hex where a byte is odd: no text and its hex are the same. Each has a bit of one byte. */
const hexSlots = [slotOf.name, ...objectSlots.filter((slot) => appArmorSchema.isUntrusted[slot] === 1)]

/** Puts what tells an AppArmor record's kind from others into `room`, the name last; one that is left out is not hex. @returns how many bytes it is */
export function putAppArmorKind(fields: RecordFields, bytes: Uint8Array, room: Uint8Array, withName: boolean): number {
  let at = 0
  for (const slot of objectSlots) at = putSlot(fields, bytes, room, at, slot)
  const isForeign = fields.forms[slotOf.netForeignPort] !== form.absent
  for (const slot of isForeign ? foreign : local) at = putSlot(fields, bytes, room, at, slot)
  room[at++] = hexSlots.reduce((bits, slot, bit) => (fields.forms[slot] === form.hex ? bits | (1 << bit) : bits), 0)
  return withName ? putSlot(fields, bytes, room, at, slotOf.name) : at
}

/** A value, and behind it the end of one, but for the last. */
function putSlot(fields: RecordFields, bytes: Uint8Array, room: Uint8Array, at: number, slot: number): number {
  let to = at
  if (fields.forms[slot] !== form.absent) {
    const end = Math.min(fields.ends[slot]!, fields.starts[slot]! + room.length - at - 64)
    for (let from = fields.starts[slot]!; from < end; from++) room[to++] = bytes[from]!
  }
  if (slot !== slotOf.name) room[to++] = 0
  return to
}

/** An operation, nothing else, and a name that is neither hex nor has what a log of the kernel escapes. */
const operationAndName = new RegExp(`^([a-z_]{1,64})\\0{${objectSlots.length + 3}}([ -[\\]-~]{0,256})$`)

/**
 * Of what putAppArmorKind() has put: operation and name, where they are all that there is and stand in the line as they are there.
 * That is so of most records.
 */
export function operationAndNameOf(kind: string): { operation: string; name: string } | undefined {
  const found = operationAndName.exec(kind)
  return found === null ? undefined : { operation: found[1]!, name: found[2]! }
}
