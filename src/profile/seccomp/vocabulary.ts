import { seccompActions, seccompOperators } from '../../api/schema/seccomp.ts'
import type { LinuxSeccompAction, LinuxSeccompOperator } from '../../api/types.ts'

/**
 * The words of a seccomp profile that the OCI runtime specification (config-linux.md, "Seccomp") has and runc knows
 * (libcontainer/seccomp/config.go). Other words are refused, because runc does not start a container whose profile has
 * an unknown word.
 */

export const actions = seccompActions

export type Action = LinuxSeccompAction

/** Actions that prevent the system call. */
export function isRefusing(action: Action): boolean {
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRAP' || action.startsWith('SCMP_ACT_KILL')
}

/** By the specification, an errno is invalid for all other actions. */
export function takesErrno(action: Action): boolean {
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'
}

/**
 * The largest `errnoRet`: the kernel caps an errno at MAX_ERRNO; a tracer gets 16 bits (kernel/seccomp.c,
 * SECCOMP_RET_DATA).
 */
export function maxErrno(action: Action): number {
  return action === 'SCMP_ACT_TRACE' ? 0xffff : 4095
}

/** A system call has six arguments, 0 to 5. */
export const MAX_ARGUMENT = 5

export const operators = seccompOperators

export type Operator = LinuxSeccompOperator

const littleEndian = [
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_LOONGARCH64',
]

/** libseccomp cannot build a filter for architectures of both byte orders (`db_col_db_add`: EDOM). */
export const bigEndian = [
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
]

export const architectures: readonly string[] = [...littleEndian, ...bigEndian]

/**
 * The architectures of vArmor's own profiles, for all nodes: x86-64 and arm64, with their 32-bit ABIs, because
 * libseccomp kills a process that uses an unlisted ABI. Architectures of other nodes have no effect. riscv64 is left
 * out because runc before 1.1 refuses the name; runc always adds the node's own architecture.
 */
export const nodeArchitectures: readonly string[] = [
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_ARM',
]

export const flags = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
]
