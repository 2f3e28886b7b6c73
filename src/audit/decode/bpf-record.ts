import { layOut, type StructField } from '../../base/c-struct.ts'

/**
 * The records that our BPF programs write to the ring buffer. The decoder takes its offsets from this table, and
 * native/bpf/varmor_event.h is generated from it. A record is `header | body of its kind | exe | path | type`, packed
 * and little-endian. Texts do not end with NUL.
 */

/** A field of a header or body. Records are packed, so fields are not aligned. */
export interface RecordField extends StructField {
  type: 'u8' | 'u16' | 'u32' | 'u64'
  what: string
}

/** Increase it when the meaning or place of a field changes. The decoder does not decode records of other versions. */
export const recordVersion = 1

/** Maximum bytes of a text. A longer text is cut, and a bit in `flags` says so. */
export const maximalText = 4096

export const headerFields = [
  { name: 'size', type: 'u32', what: 'bytes of the whole record, this field included' },
  { name: 'version', type: 'u8', what: 'VARMOR_EVENT_VERSION' },
  { name: 'kind', type: 'u8', what: 'enum varmor_event_kind' },
  { name: 'action', type: 'u8', what: 'enum varmor_event_action' },
  { name: 'flags', type: 'u8', what: 'enum varmor_event_flag' },
  { name: 'time', type: 'u64', what: 'bpf_ktime_get_boot_ns()' },
  { name: 'cgroup', type: 'u64', what: 'bpf_get_current_cgroup_id()' },
  { name: 'profile', type: 'u32', what: "id of the task's profile" },
  { name: 'mnt_ns', type: 'u32', what: 'inode number of the mount namespace at the time of the event' },
  { name: 'tgid', type: 'u32', what: 'process id, in the initial pid namespace' },
  { name: 'tid', type: 'u32', what: 'thread id, likewise' },
  { name: 'ppid', type: 'u32', what: 'process id of the parent, likewise' },
  { name: 'uid', type: 'u32', what: 'real user id, in the initial user namespace' },
  { name: 'gid', type: 'u32', what: 'real group id, likewise' },
  { name: 'exe_size', type: 'u16', what: 'bytes of the path of the executable' },
  { name: 'path_size', type: 'u16', what: 'bytes of the path of a file, exec or mount event' },
  { name: 'type_size', type: 'u16', what: 'bytes of the file system type of a mount event' },
  { name: 'reserved', type: 'u16', what: 'zero' },
  { name: 'container', type: 'u32', what: "number of the task's container" },
  { name: 'comm', type: 'u8', count: 16, what: 'name of the thread, padded with NUL' },
] as const satisfies readonly RecordField[]

/**
 * Kinds of events: number, text of `operation` in the event, and body. The first six texts are the same as upstream's.
 */
export const recordKinds = {
  capability: {
    number: 1,
    operation: 'Capability',
    body: [{ name: 'capability', type: 'u32', what: 'CAP_…' }],
  },
  file: {
    number: 2,
    operation: 'File',
    body: [{ name: 'permissions', type: 'u32', what: "access bits that were asked for, in AppArmor's numbering" }],
  },
  exec: {
    number: 3,
    operation: 'Bprm',
    body: [{ name: 'permissions', type: 'u32', what: 'likewise' }],
  },
  socket: {
    number: 4,
    operation: 'Network',
    body: [
      { name: 'domain', type: 'u32', what: 'AF_…' },
      { name: 'type', type: 'u32', what: 'SOCK_…, without its flags' },
      { name: 'protocol', type: 'u32', what: 'IPPROTO_…' },
    ],
  },
  address: {
    number: 5,
    operation: 'Network',
    body: [
      { name: 'call', type: 'u16', what: 'enum varmor_event_call' },
      { name: 'port', type: 'u16', what: 'host byte order' },
      { name: 'family', type: 'u32', what: 'AF_INET or AF_INET6' },
      { name: 'address', type: 'u8', count: 16, what: 'network byte order; IPv4 in the first four bytes' },
    ],
  },
  ptrace: {
    number: 6,
    operation: 'Ptrace',
    body: [
      { name: 'permission', type: 'u32', what: "access bits, in AppArmor's numbering" },
      { name: 'external', type: 'u32', what: '1: the other process is outside the container' },
    ],
  },
  mount: {
    number: 7,
    operation: 'Mount',
    body: [{ name: 'flags', type: 'u32', what: 'MS_…; 0x200 for umount(2)' }],
  },
  userns: { number: 8, operation: 'Userns', body: [] },
  bpf: { number: 9, operation: 'Bpf', body: [{ name: 'command', type: 'u32', what: 'BPF_… (enum bpf_cmd)' }] },
  userfaultfd: { number: 10, operation: 'Userfaultfd', body: [] },
} as const satisfies Record<string, { number: number; operation: string; body: readonly RecordField[] }>

export type RecordKind = keyof typeof recordKinds

export const recordActions = { DENIED: 1, AUDIT: 2, ALLOWED: 4 } as const

export const recordFlags = { PATH_CUT: 1, EXE_CUT: 2, PATH_UNKNOWN: 4 } as const

/**
 * Operations on an address. The key is `type` in the event. The numbers of connect and bind are the same as upstream's.
 */
export const recordCalls = { connect: 1, bind: 3, sendmsg: 4, listen: 5, accept: 6 } as const

export const header = layOut(headerFields)

/** For each kind, the offsets of the fields in the body. */
export const bodyAt = {
  capability: layOut(recordKinds.capability.body).at,
  file: layOut(recordKinds.file.body).at,
  socket: layOut(recordKinds.socket.body).at,
  address: layOut(recordKinds.address.body).at,
  ptrace: layOut(recordKinds.ptrace.body).at,
  mount: layOut(recordKinds.mount.body).at,
  bpf: layOut(recordKinds.bpf.body).at,
}
