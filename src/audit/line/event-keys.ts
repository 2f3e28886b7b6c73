import { recordCalls, recordKinds } from '../decode/bpf-record.ts'
import { count, type Key, listOfTexts, matching, objectOf, type Schema, text } from './json-types.ts'

/** The keys of `event` for each enforcer, in the order of a line. */

const key = (name: string, schema: Schema, meaning: string): Key => ({ name, schema, meaning })

const auditID = matching('^([0-9]+[.][0-9]+:[0-9]+)?$')

/** The fields of libapparmor's record (aalogparse.h). A field that the record lacks has its zero value. */
export const appArmorKeys: readonly Key[] = [
  key('version', count, 'version of the record syntax: 1'),
  key('event', count, 'aa_record_event_type: 2 AUDIT, 3 ALLOWED, 4 DENIED'),
  key('pid', count, 'process id'),
  key('peerPID', count, 'process id of the other process in a D-Bus call'),
  key('task', count, 'only from old kernels'),
  key('magicToken', count, 'only from old kernels'),
  key('epoch', count, 'Unix time of the event, in seconds'),
  key('auditSubId', count, 'serial number of the record'),
  key('auditSubID', count, 'the same number under upstream’s name of the key'),
  key('bitMask', count, 'never filled'),
  key('auditID', auditID, 'seconds, milliseconds and serial number; empty for a record that dbus-daemon wrote itself'),
  key('operation', text, 'attempted operation, such as `open`, `exec` or `capable`'),
  key('deniedMask', text, 'refused permissions'),
  key('requestedMask', text, 'requested permissions'),
  key('fsuid', count, 'file system user id of the process; 18446744073709551615 if the record lacks it'),
  key('ouid', count, 'owner of the object; 18446744073709551615 if the record lacks it'),
  key('profile', text, 'AppArmor label of the process'),
  key('peerProfile', text, 'AppArmor label of the other process in a D-Bus call'),
  key('comm', text, 'name of the thread; in a record of a D-Bus daemon, the program'),
  key('name', text, 'the object: a path, a capability or a D-Bus name'),
  key('name2', text, 'the second object, such as the target of a link'),
  key('namespace', text, 'AppArmor namespace of the profile'),
  key('attribute', text, 'attribute that the process tried to change'),
  key('parent', count, 'process id of the parent; only from old kernels'),
  key('info', text, 'reason of the failure, as AppArmor words it'),
  key('peerInfo', text, 'reason of the failure for the other process'),
  key('errorCode', count, 'errno as a positive number'),
  key('activeHat', text, 'never filled'),
  key('netFamily', text, 'address family'),
  key('netProtocol', text, 'protocol, as libapparmor names it'),
  key('netSockType', text, 'socket type'),
  key('netLocalAddr', text, 'local address'),
  key('netLocalPort', count, 'local port'),
  key('netForeignAddr', text, 'remote address'),
  key('netForeignPort', count, 'remote port'),
  key('dbusBus', text, 'D-Bus bus: system or session'),
  key('dbusPath', text, 'D-Bus object path'),
  key('dbusInterface', text, 'D-Bus interface'),
  key('dbusMember', text, 'D-Bus method or signal'),
  key('signal', text, 'the sent signal'),
  key('peer', text, 'AppArmor label of the target process'),
  key('fsType', text, 'file system type of a mount'),
  key('flags', text, 'flags of a mount'),
  key('srcName', text, 'source of a mount or move'),
]

export const seccompKeys: readonly Key[] = [
  key('auditID', auditID, 'seconds, milliseconds and serial number'),
  key('epoch', count, 'Unix time of the event, in seconds'),
  key('subj', text, 'security label of the process; empty if the record lacks it'),
  key('pid', count, 'process id'),
  key('comm', text, 'name of the thread'),
  key('exe', text, 'path of the executable'),
  key('syscall', text, 'name of the system call on its architecture, or `unknown(NUMBER)`'),
]

const permissions = key('permissions', listOfTexts, 'requested permissions')
const path = key('path', text, 'path of the file')
const socket: Schema = objectOf(
  ['domain', 'type', 'protocol'].map((name) =>
    key(name, text, 'as in socket(2); empty if the event is about an address'),
  ),
  true,
)
const address: Schema = objectOf(
  [
    key('ip', text, 'IP address; empty if the event is about a socket'),
    key('port', { ...count, maximum: 65_535 }, 'port; 0 if the event is about a socket'),
  ],
  true,
)
const network = [
  key('type', matching(`^(socket|${Object.keys(recordCalls).join('|')}|unknown[(][0-9]+[)])$`), 'the call'),
  key('socket', socket, 'socket that the process tried to create'),
  key('address', address, 'remote address; for a listening socket, the local address'),
]

/** The keys for each kind of record. Two kinds have the operation `Network`. */
const bpfKinds: Record<keyof typeof recordKinds, readonly Key[]> = {
  capability: [key('capability', text, 'the capability, or `unknown`')],
  file: [permissions, path],
  exec: [permissions, path],
  socket: network,
  address: network,
  ptrace: [
    key('permission', text, 'requested permission'),
    key('external', { type: 'boolean' }, 'whether the other process is outside the container'),
  ],
  mount: [
    key('path', text, 'mount point; for an unmount, the unmounted path'),
    key('type', text, 'file system type'),
    key('flags', listOfTexts, 'flags of the mount; `umount` for an unmount'),
  ],
  userns: [],
  userfaultfd: [],
  bpf: [key('command', text, 'command of bpf(2)')],
}

/** The keys for each `operation`. */
export const bpfKeys: ReadonlyMap<string, readonly Key[]> = new Map(
  Object.entries(recordKinds).map(([kind, { operation }]) => [
    operation,
    [key('operation', { const: operation }, 'attempted operation'), ...bpfKinds[kind as keyof typeof recordKinds]],
  ]),
)
