import { mountFlagBits } from '../../api/linux-mount-flags.ts'
import { ipProtocols, socketFamilies, socketTypeNumbers } from '../../api/linux-sockets.ts'

/**
 * Names of the numbers in BPF records. Numbers that upstream's enforcer prints have its names (vArmor-ebpf,
 * pkg/bpfenforcer/const.go).
 */

/** Capabilities by number (include/uapi/linux/capability.h). */
// biome-ignore format: a table reads better
const capabilities = [
  'chown', 'dac_override', 'dac_read_search', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap',
  'linux_immutable', 'net_bind_service', 'net_broadcast', 'net_admin', 'net_raw', 'ipc_lock', 'ipc_owner', 'sys_module',
  'sys_rawio', 'sys_chroot', 'sys_ptrace', 'sys_pacct', 'sys_admin', 'sys_boot', 'sys_nice', 'sys_resource', 'sys_time',
  'sys_tty_config', 'mknod', 'lease', 'audit_write', 'audit_control', 'setfcap', 'mac_override', 'mac_admin', 'syslog',
  'wake_alarm', 'block_suspend', 'audit_read', 'perfmon', 'bpf', 'checkpoint_restore',
]

export const capabilityName = (number: number): string => capabilities[number] ?? 'unknown'

/** AppArmor's permission bits (security/apparmor/include/perms.h). Upstream names exec, create, rename and link. */
const permissions: readonly (readonly [number, string])[] = [
  [0x1, 'exec'],
  [0x2, 'write'],
  [0x4, 'read'],
  [0x8, 'append'],
  [0x10, 'create'],
  [0x20, 'delete'],
  [0x80, 'rename'],
  [0x100, 'setattr'],
  [0x200, 'getattr'],
  [0x1000, 'chmod'],
  [0x2000, 'chown'],
  [0x4_0000, 'link'],
]

/** The names of the set bits in the table's order. All bits without a name together become one `0x…`. */
function bitNames(bits: number, table: readonly (readonly [number, string])[]): string[] {
  let rest = bits
  const names: string[] = []
  for (const [bit, name] of table) {
    if ((bits & bit) === 0) continue
    names.push(name)
    rest &= ~bit
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`)
  return names
}

export const permissionNames = (bits: number): string[] => bitNames(bits, permissions)

const ptracePermissions: readonly (readonly [number, string])[] = [
  [0x2, 'trace'],
  [0x4, 'read'],
  [0x8, 'traceby'],
  [0x10, 'readby'],
]

/** Upstream's events have one bit. The names of several bits are joined. */
export const ptracePermissionName = (bits: number): string => bitNames(bits, ptracePermissions).join(' ')

/** 0x200 is not a flag of mount(2): a record uses it for umount. */
const umount = 0x200

const { bind: MS_BIND, rec: MS_REC, ...others } = mountFlagBits

const mountFlags: readonly (readonly [number, string])[] = [...Object.entries(others), ['umount', umount] as const]
  .map(([name, bit]) => [bit, name] as const)
  .sort(([a], [b]) => a - b)

/** Combinations of flags with bind. The first combination whose flags are all set gives the name. */
const bindFlags: readonly (readonly [number, string])[] = [
  [MS_BIND | MS_REC | others['make-unbindable'], 'make-runbindable'],
  [MS_BIND | MS_REC | others['make-private'], 'make-rprivate'],
  [MS_BIND | MS_REC | others['make-slave'], 'make-rslave'],
  [MS_BIND | MS_REC | others['make-shared'], 'make-rshared'],
  [MS_BIND | MS_REC, 'rbind'],
  [MS_BIND, 'bind'],
]

export function mountFlagNames(flags: number): string[] {
  const names = bitNames(flags & ~(MS_BIND | MS_REC), mountFlags)
  const bind = bindFlags.find(([bits]) => (flags & bits) === bits)
  if (bind !== undefined) names.push(bind[1])
  else if ((flags & MS_REC) !== 0) names.push('rec')
  return names
}

/** Families whose name in the kernel's header is not in capitals. */
const oddNames: Readonly<Record<string, string>> = { decnet: 'DECnet' }

const domains = socketFamilies.map((name) => oddNames[name] ?? name.toUpperCase())

export const domainName = (number: number): string =>
  domains[number] === undefined ? `unknown(${number})` : `AF_${domains[number]}`

const socketTypes: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(socketTypeNumbers).map(([name, number]) => [number, name.toUpperCase()]),
)

export const socketTypeName = (number: number): string =>
  socketTypes[number] === undefined ? `unknown(${number})` : `SOCK_${socketTypes[number]}`

export const ipProtocolName = (number: number): string =>
  ipProtocols[number] === undefined ? `unknown(${number})` : `IPPROTO_${ipProtocols[number]}`

/** The values of enum bpf_cmd (include/uapi/linux/bpf.h) that rules can name. */
const bpfCommands: Readonly<Record<number, string>> = {
  0: 'map_create',
  5: 'prog_load',
  18: 'btf_load',
  28: 'link_create',
}

export const bpfCommandName = (number: number): string => bpfCommands[number] ?? `unknown(${number})`
