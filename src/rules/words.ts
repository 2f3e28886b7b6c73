import type { Capability } from './capabilities.ts'
import {
  type FileAccess,
  type Impossible,
  impossible,
  type MountOperation,
  type Restriction,
  type Rule,
  type SyscallArgument,
} from './meaning.ts'

// Short constructors for the restrictions of meaning.ts, so that entries of the catalogue are easy to read.

/** Returns the rule unchanged; it exists only to check the type. */
export function defineRule(rule: Rule): Rule {
  return rule
}

/** The same restrictions for AppArmor and BPF, which see the same kernel objects. */
export function appArmorAndBpf(...restrictions: readonly Restriction[]): Pick<Rule, 'appArmor' | 'bpf'> {
  return { appArmor: restrictions, bpf: restrictions }
}

export function path(pattern: string, ...deny: readonly FileAccess[]): Restriction {
  return { kind: 'path', pattern, deny }
}

/** Restrictions that refuse the same access to several paths. */
export function paths(patterns: readonly string[], ...deny: readonly FileAccess[]): Restriction[] {
  return patterns.map((pattern) => path(pattern, ...deny))
}

export function capability(...names: readonly Capability[]): Restriction {
  return { kind: 'capability', names }
}

type MountFields = Omit<Extract<Restriction, { kind: 'mount' }>, 'kind' | 'operations'>

export function mount(operations: readonly MountOperation[], fields: MountFields = {}): Restriction {
  return { kind: 'mount', operations, ...fields }
}

/**
 * A new mount of a file system of this type, anywhere. Rules about paths in /proc or the cgroup tree also contain this
 * restriction, because a second mount of the file system has the same files under paths that no pattern matches.
 */
export function freshMount(fstype: string): Restriction {
  return mount(['new'], { fstype })
}

/** All changes to a tree's mounts: binding or moving it elsewhere, mounting over it, remounting, unmounting. */
export function mountsOf(root: string): Restriction[] {
  return [root, `${root}/**`].flatMap((place) => [
    mount(['bind', 'move'], { source: place }),
    mount(['bind', 'move', 'remount', 'umount'], { target: place }),
  ])
}

type SocketFields = Omit<Extract<Restriction, { kind: 'socket' }>, 'kind'>

export function socket(fields: SocketFields = {}): Restriction {
  return { kind: 'socket', ...fields }
}

export function egress(...addresses: readonly string[]): Restriction[] {
  return addresses.map((to) => ({ kind: 'egress', to }))
}

export function service(namespace: string, name: string): Restriction {
  return { kind: 'service', namespace, name }
}

const INT = 0xffffffff

/**
 * An argument that the kernel reads as an int. A filter compares all 64 bits of the register, but the kernel uses only
 * the lower 32. Without the mask, a process evades a plain comparison by setting a higher bit.
 */
export function int(index: SyscallArgument['index'], value: number): SyscallArgument {
  return { index, op: 'SCMP_CMP_MASKED_EQ', value: INT, valueTwo: value }
}

/** An argument in which this bit is set; the other bits do not matter. */
export function bit(index: SyscallArgument['index'], mask: number): SyscallArgument {
  return { index, op: 'SCMP_CMP_MASKED_EQ', value: mask, valueTwo: mask }
}

// Error numbers that refused calls return instead of EPERM (include/uapi/asm-generic/errno.h).
/** "The kernel does not have this call". Libraries then fall back to an older call, which the rule can judge. */
export const ENOSYS = 38
/** "Not possible with these files". Callers of sendfile(2) then fall back to read and write. */
export const EINVAL = 22

// Reasons why a Seccomp filter cannot enforce a rule. The user sees them.
export const filterSeesNoPaths: Impossible = impossible(
  'A seccomp filter sees the pointer to a path, but not the path; it sees a descriptor, but not its file.',
)
export const filterSeesNoCapabilities: Impossible = impossible(
  'The kernel checks capabilities deep inside many system calls; a seccomp filter sees only the start of a call.',
)
export const filterSeesNoAddresses: Impossible = impossible(
  'The address of a connection is behind a pointer, which a seccomp filter cannot follow.',
)
export const appArmorSeesNoAddresses: Impossible = impossible(
  'In mainline kernels, AppArmor checks the family and type of a socket, not the address that it connects to.',
)
/**
 * The reason for rules that a filter could enforce, but does not. A filter cannot change while the container runs, and
 * refuses a call before other enforcers can report it.
 */
export const leftToAppArmorAndBpf: Impossible = impossible(
  'AppArmor and BPF enforce the whole rule. A seccomp filter cannot change while the container runs, and it refuses a call before AppArmor and BPF can report it.',
)
export const filterSeesNotEverySocket: Impossible = impossible(
  'A seccomp filter misses sockets that are created through io_uring (IORING_OP_SOCKET) and i386 socketcall(2), whose arguments lie in memory; AppArmor and BPF see every socket.',
)
