import { appArmorSchema, slotOf } from '../decode/apparmor-fields.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'

/** The fields that, besides its name, distinguish the object of an AppArmor operation. */
const objectSlots = (
  [
    ...['operation', 'name2', 'srcName', 'netFamily', 'netSockType', 'netProtocol'],
    ...['dbusBus', 'dbusPath', 'dbusInterface', 'dbusMember', 'signal', 'peer', 'peerProfile', 'fsType'],
  ] as const
).map((name) => slotOf[name as keyof typeof slotOf])
const foreign = [slotOf.netForeignAddr, slotOf.netForeignPort]
/**
 * Used only without a remote address: the system chooses the local address of a connection, so it distinguishes
 * nothing.
 */
const local = [slotOf.netLocalAddr, slotOf.netLocalPort]

/**
 * Fields that the kernel writes as hex if a byte is odd. Each has a bit in one byte of the kind, which keeps a text and
 * a hex value of equal bytes apart.
 */
const hexSlots = [slotOf.name, ...objectSlots.filter((slot) => appArmorSchema.isUntrusted[slot] === 1)]

/**
 * Puts the values that distinguish an AppArmor record's kind into `room`, with the name last.
 * @param withName whether to put the name; without it, its bit says that the name is not hex
 * @returns the number of bytes
 */
export function putAppArmorKind(fields: RecordFields, bytes: Uint8Array, room: Uint8Array, withName: boolean): number {
  let at = 0
  for (const slot of objectSlots) at = putSlot(fields, bytes, room, at, slot)
  const isForeign = fields.forms[slotOf.netForeignPort] !== form.absent
  for (const slot of isForeign ? foreign : local) at = putSlot(fields, bytes, room, at, slot)
  room[at++] = hexSlots.reduce((bits, slot, bit) => (fields.forms[slot] === form.hex ? bits | (1 << bit) : bits), 0)
  return withName ? putSlot(fields, bytes, room, at, slotOf.name) : at
}

/** Puts a value and a NUL after it. The name is the last value and gets no NUL. */
function putSlot(fields: RecordFields, bytes: Uint8Array, room: Uint8Array, at: number, slot: number): number {
  let to = at
  if (fields.forms[slot] !== form.absent) {
    const end = Math.min(fields.ends[slot]!, fields.starts[slot]! + room.length - at - 64)
    for (let from = fields.starts[slot]!; from < end; from++) room[to++] = bytes[from]!
  }
  if (slot !== slotOf.name) room[to++] = 0
  return to
}

/**
 * Matches a kind with only an operation and a name, where the name is not hex and has no byte that a kernel log
 * escapes.
 */
const operationAndName = new RegExp(`^([a-z_]{1,64})\\0{${objectSlots.length + 3}}([ -[\\]-~]{0,256})$`)

/**
 * Splits the result of putAppArmorKind() into operation and name, if it has only these two and both are as in the line.
 * This is true for most records.
 */
export function operationAndNameOf(kind: string): { operation: string; name: string } | undefined {
  const found = operationAndName.exec(kind)
  return found === null ? undefined : { operation: found[1]!, name: found[2]! }
}
