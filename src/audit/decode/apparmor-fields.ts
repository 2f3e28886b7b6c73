import { RecordSchema } from './record-schema.ts'

/**
 * Which key of an AppArmor record fills which field of libapparmor's record (aalogparse.h). The fields have the names
 * and the order of the keys of `event` in violations.log. A slot is the number of a field.
 */

/** Fields that follow `auditID` in the event, in order. A field's number is also its bit in `RecordFields.present`. */
export const eventFields = [
  'operation',
  'deniedMask',
  'requestedMask',
  'fsuid',
  'ouid',
  'profile',
  'peerProfile',
  'comm',
  'name',
  'name2',
  'namespace',
  'attribute',
  'parent',
  'info',
  'peerInfo',
  'errorCode',
  'netFamily',
  'netProtocol',
  'netSockType',
  'netLocalAddr',
  'netLocalPort',
  'netForeignAddr',
  'netForeignPort',
  'dbusBus',
  'dbusPath',
  'dbusInterface',
  'dbusMember',
  'signal',
  'peer',
  'fsType',
  'flags',
  'srcName',
] as const

/** Fields that are elsewhere in the line, or that the line does not contain. */
const otherFields = ['pid', 'peerPID', 'task', 'magicToken', 'class', 'apparmor', 'type', 'nothing'] as const

export type FieldName = (typeof eventFields)[number] | (typeof otherFields)[number]

const fields: readonly FieldName[] = [...eventFields, ...otherFields]

export const slotOf = Object.fromEntries(fields.map((name, slot) => [name, slot])) as Record<FieldName, number>

const numbers: readonly FieldName[] = [
  'pid',
  'peerPID',
  'task',
  'magicToken',
  'fsuid',
  'ouid',
  'parent',
  'errorCode',
  'netLocalPort',
  'netForeignPort',
  'type',
]

/** The value that libapparmor gives an absent field: an empty text, 0, or (unsigned long)-1 for `fsuid` and `ouid`. */
export function zeroValue(name: FieldName): string {
  if (name === 'fsuid' || name === 'ouid') return '18446744073709551615'
  return numbers.includes(name) ? '0' : '""'
}

/**
 * The field of each key, as in libapparmor's grammar. Several keys may fill one field; then the last value counts.
 * `nothing` stands for keys whose value libapparmor drops, because another key repeats it.
 */
const keys: Readonly<Record<string, FieldName>> = {
  apparmor: 'apparmor',
  operation: 'operation',
  class: 'class',
  profile: 'profile',
  label: 'profile',
  name: 'name',
  capname: 'name',
  name2: 'name2',
  target: 'name2',
  pid: 'pid',
  comm: 'comm',
  exe: 'comm',
  requested_mask: 'requestedMask',
  requested: 'requestedMask',
  denied_mask: 'deniedMask',
  denied: 'deniedMask',
  mask: 'deniedMask',
  fsuid: 'fsuid',
  ouid: 'ouid',
  info: 'info',
  error: 'errorCode',
  namespace: 'namespace',
  peer: 'peer',
  peer_profile: 'peerProfile',
  peer_label: 'peerProfile',
  tcontext: 'peerProfile',
  peer_pid: 'peerPID',
  peer_info: 'peerInfo',
  family: 'netFamily',
  protocol: 'netProtocol',
  sock_type: 'netSockType',
  laddr: 'netLocalAddr',
  saddr: 'netLocalAddr',
  lport: 'netLocalPort',
  src: 'netLocalPort',
  faddr: 'netForeignAddr',
  daddr: 'netForeignAddr',
  fport: 'netForeignPort',
  dest: 'netForeignPort',
  bus: 'dbusBus',
  path: 'dbusPath',
  interface: 'dbusInterface',
  member: 'dbusMember',
  method: 'dbusMember',
  signal: 'signal',
  fstype: 'fsType',
  flags: 'flags',
  srcname: 'srcName',
  attribute: 'attribute',
  parent: 'parent',
  task: 'task',
  magic_token: 'magicToken',
  type: 'type',
  sauid: 'nothing',
  hostname: 'nothing',
  terminal: 'nothing',
}

export const appArmorSchema = new RecordSchema({
  fields,
  keys,
  numbers,
  signed: 'errorCode',
  untrusted: ['profile', 'peerProfile', 'namespace', 'comm', 'name', 'name2', 'peer', 'fsType', 'srcName', 'dbusPath'],
})
