import { appArmorSchema, slotOf } from '../decode/apparmor-fields.ts'
import { form, type RecordFields } from '../decode/record-fields.ts'

/** The fields that, besides the name, identify an AppArmor operation and its object. */
const objectSlots = (
  [
    ...['operation', 'name2', 'srcName', 'netFamily', 'netSockType', 'netProtocol'],
    ...['dbusBus', 'dbusPath', 'dbusInterface', 'dbusMember', 'signal', 'peer', 'peerProfile', 'fsType'],
  ] as const
).map((name) => slotOf[name as keyof typeof slotOf])
const foreign = [slotOf.netForeignAddr, slotOf.netForeignPort]
/**
 * Used only for a record without a remote address. For a connection, the kernel chooses the local address, so that
 * address does not identify the object.
 */
const local = [slotOf.netLocalAddr, slotOf.netLocalPort]

/**
 * Fields that the kernel writes as hex if they contain a special byte. One byte of the kind has a bit for each field.
 * The bit distinguishes hex from a text with the same bytes.
 */
const hexSlots = [slotOf.name, ...objectSlots.filter((slot) => appArmorSchema.isUntrusted[slot] === 1)]

/**
 * Puts the values that distinguish an AppArmor record's kind into `room`, with the name last.
 * @param withName whether to put the name. Without the name, its field must not be hex
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
 * Matches a kind that has only an operation and a name. The name must not be hex, and must not contain a byte that a
 * kernel log escapes.
 */
const operationAndName = new RegExp(`^([a-z_]{1,64})\\0{${objectSlots.length + 3}}([ -[\\]-~]{0,256})$`)

/**
 * Splits the result of putAppArmorKind() into operation and name. The result is undefined for a kind with other fields,
 * or with a name that the line spells differently; both are rare.
 */
export function operationAndNameOf(kind: string): { operation: string; name: string } | undefined {
  const found = operationAndName.exec(kind)
  return found === null ? undefined : { operation: found[1]!, name: found[2]! }
}
