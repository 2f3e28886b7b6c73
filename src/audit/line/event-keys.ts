import { recordCalls, recordKinds } from '../decode/bpf-record.ts'
import { count, type Key, listOfTexts, matching, objectOf, type Schema, text } from './json-types.ts'

/** `event` of each enforcer, key by key, in the order of a line. */

const key = (name: string, schema: Schema, meaning: string): Key => ({ name, schema, meaning })

const auditID = matching('^([0-9]+[.][0-9]+:[0-9]+)?$')

/** libapparmor's record (aalogparse.h). A field absent in the record has its zero value. */
export const appArmorKeys: readonly Key[] = [
  key('version', count, 'of the syntax of records: 1'),
  key('event', count, 'aa_record_event_type: 2 AUDIT, 3 ALLOWED, 4 DENIED'),
  key('pid', count, 'the process'),
  key('peerPID', count, 'the other process of a call over a bus'),
  key('task', count, 'of old kernels'),
  key('magicToken', count, 'of old kernels'),
  key('epoch', count, 'unix seconds of the event'),
  key('auditSubId', count, 'serial number of the record'),
  key('auditSubID', count, 'the same by upstream’s name'),
  key('bitMask', count, 'never filled'),
  key('auditID', auditID, 'seconds, milliseconds and serial number; empty for a line of dbus-daemon’s own'),
  key('operation', text, 'what was tried, e.g. `open`, `exec`, `capable`'),
  key('deniedMask', text, 'permissions that were refused'),
  key('requestedMask', text, 'permissions that were asked for'),
  key('fsuid', count, 'file system user id of the process; 18446744073709551615 where the record has none'),
  key('ouid', count, 'owner of the object; 18446744073709551615 where the record has none'),
  key('profile', text, 'label of the process'),
  key('peerProfile', text, 'label of the other process of a call over a bus'),
  key('comm', text, 'name of the thread; the program for a bus daemon’s record'),
  key('name', text, 'the object: a path, a capability, a name on a bus'),
  key('name2', text, 'the second object, e.g. where a link leads'),
  key('namespace', text, 'AppArmor’s namespace of the profile'),
  key('attribute', text, 'that was to be changed'),
  key('parent', count, 'process id of the parent, of old kernels'),
  key('info', text, 'why it failed, in AppArmor’s words'),
  key('peerInfo', text, 'the same about the other process'),
  key('errorCode', count, 'errno, without its sign'),
  key('activeHat', text, 'never filled'),
  key('netFamily', text, 'address family'),
  key('netProtocol', text, 'protocol, by libapparmor’s name'),
  key('netSockType', text, 'type of socket'),
  key('netLocalAddr', text, 'own address'),
  key('netLocalPort', count, 'own port'),
  key('netForeignAddr', text, 'address of the other side'),
  key('netForeignPort', count, 'port of the other side'),
  key('dbusBus', text, 'the bus'),
  key('dbusPath', text, 'object on the bus'),
  key('dbusInterface', text, 'interface on the bus'),
  key('dbusMember', text, 'method or signal on the bus'),
  key('signal', text, 'signal that was sent'),
  key('peer', text, 'label of the process that it was about'),
  key('fsType', text, 'file system of a mount'),
  key('flags', text, 'of a mount'),
  key('srcName', text, 'what was to be mounted or moved'),
]

export const seccompKeys: readonly Key[] = [
  key('auditID', auditID, 'seconds, milliseconds and serial number'),
  key('epoch', count, 'unix seconds of the event'),
  key('subj', text, 'label of the process; empty where the record has none'),
  key('pid', count, 'the process'),
  key('comm', text, 'name of the thread'),
  key('exe', text, 'path of the program'),
  key('syscall', text, 'name of the call for its architecture, or `unknown(NUMBER)`'),
]

const permissions = key('permissions', listOfTexts, 'what was asked for')
const path = key('path', text, 'the file')
const socket: Schema = objectOf(
  ['domain', 'type', 'protocol'].map((name) => key(name, text, 'as in socket(2); empty for an address')),
  true,
)
const address: Schema = objectOf(
  [key('ip', text, 'empty for a socket'), key('port', { ...count, maximum: 65_535 }, '0 for a socket')],
  true,
)
const network = [
  key('type', matching(`^(socket|${Object.keys(recordCalls).join('|')}|unknown[(][0-9]+[)])$`), 'the call'),
  key('socket', socket, 'the kind of socket'),
  key('address', address, 'the other side, or the own one for a server'),
]

/** By the record's kind; two kinds have the operation `Network`. */
const bpfKinds: Record<keyof typeof recordKinds, readonly Key[]> = {
  capability: [key('capability', text, 'the capability, or `unknown`')],
  file: [permissions, path],
  exec: [permissions, path],
  socket: network,
  address: network,
  ptrace: [
    key('permission', text, 'what was asked for'),
    key('external', { type: 'boolean' }, 'whether the other process is outside of the container'),
  ],
  mount: [
    key('path', text, 'where, or what is unmounted'),
    key('type', text, 'file system'),
    key('flags', listOfTexts, 'of the mount; `umount` for an unmount'),
  ],
  userns: [],
  userfaultfd: [],
  bpf: [key('command', text, 'command of bpf(2)')],
}

/** By `operation`. */
export const bpfKeys: ReadonlyMap<string, readonly Key[]> = new Map(
  Object.entries(recordKinds).map(([kind, { operation }]) => [
    operation,
    [key('operation', { const: operation }, 'what was tried'), ...bpfKinds[kind as keyof typeof recordKinds]],
  ]),
)
