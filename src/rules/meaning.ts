import { type SocketFamily, socketFamilies, socketTypeNumbers } from '../api/linux-sockets.ts'
import type { Capability } from './capabilities.ts'

/**
 * The terms in which the catalogue defines what a rule forbids. They name kernel objects and operations, independent of
 * the enforcer: `src/profile/` turns each term into AppArmor text and BPF rules. Seccomp has its own terms, because it
 * sees only system calls and their arguments.
 */

/**
 * `write` covers every change: open for writing, truncate, create, unlink, rename, link, mkdir, mknod, chmod, chown,
 * shared mapping; and connecting to a socket in the file system. `append` is opening with O_APPEND only; `write`
 * includes it.
 */
export type FileAccess = 'read' | 'write' | 'append' | 'exec'

/** Ways to change the mount table; `new` mounts a file system, `remount` changes the flags of a mount. */
export type MountOperation = 'new' | 'bind' | 'move' | 'remount' | 'umount'

/**
 * Ways in which a process in the container and another process interact. With `read` and `trace`, the process in the
 * container acts on the other; with `readby` and `traceby`, the other acts on it.
 */
export type PtraceAccess = 'read' | 'trace' | 'readby' | 'traceby'

export type SocketDomain = Exclude<SocketFamily, 'decnet'>
export type SocketType = (typeof socketTypes)[number]
export type SocketProtocol = (typeof socketProtocols)[number]

/** Address families that rules can name. AF_DECnet is left out: Linux 6.1 removed it. */
export const socketDomains = socketFamilies.filter((name) => name !== 'decnet')

export const socketTypes = Object.keys(socketTypeNumbers) as (keyof typeof socketTypeNumbers)[]

/**
 * Protocols of IPv4 and IPv6 sockets; `icmp` is ICMP and ICMPv6. A socket that is made with protocol 0 uses the default
 * of its type: `tcp` for stream and `udp` for dgram (ip(7)).
 */
export const socketProtocols = ['icmp', 'tcp', 'udp'] as const

/**
 * A path pattern in the syntax of `src/profile/path-pattern.ts`: exact, `*` within one segment, `**` across segments.
 */
export type PathPatternText = string

export type Restriction =
  | { kind: 'path'; pattern: PathPatternText; deny: readonly FileAccess[] }
  | { kind: 'capability'; names: readonly Capability[] }
  | {
      kind: 'mount'
      operations: readonly MountOperation[]
      fstype?: string
      source?: PathPatternText
      target?: PathPatternText
    }
  /** Creating a socket. An absent field matches all values. */
  | {
      kind: 'socket'
      domains?: readonly SocketDomain[]
      types?: readonly SocketType[]
      protocols?: readonly SocketProtocol[]
    }
  /** Connections and datagrams to an address or block (IPv4 or IPv6, including IPv4-mapped forms). */
  | { kind: 'egress'; to: string }
  /** Connections to a Kubernetes Service and to its endpoints; the manager reads the addresses from the cluster. */
  | { kind: 'service'; namespace: string; name: string }
  /** `outside`: only between the container and processes outside it. */
  | { kind: 'ptrace'; access: readonly PtraceAccess[]; scope: 'all' | 'outside' }
  | { kind: 'userns' }
  /** Making a userfaultfd, by system call or device. */
  | { kind: 'userfaultfd' }
  | { kind: 'bpf'; commands: readonly ('prog_load' | 'map_create')[] }
  /** Block devices under any name. The enforcer recognises them by their inode. */
  | { kind: 'block-device'; deny: readonly FileAccess[] }
  /** The node's block devices whose names the catalogue does not know: access to them, and mounts of them. */
  | { kind: 'node-disks'; deny: readonly FileAccess[]; mount: readonly MountOperation[] }

export type RestrictionKind = Restriction['kind']

/** A comparison of one argument, with the operators of the OCI runtime specification (config-linux.md, seccomp). */
export interface SyscallArgument {
  index: 0 | 1 | 2 | 3 | 4 | 5
  op:
    | 'SCMP_CMP_EQ'
    | 'SCMP_CMP_NE'
    | 'SCMP_CMP_LT'
    | 'SCMP_CMP_LE'
    | 'SCMP_CMP_GT'
    | 'SCMP_CMP_GE'
    | 'SCMP_CMP_MASKED_EQ'
  /** The value; for MASKED_EQ, the mask. */
  value: number
  /** For MASKED_EQ, the value that the masked argument must have. */
  valueTwo?: number
}

/** System calls that are refused when all comparisons in `args` are true. */
export interface SyscallRestriction {
  names: readonly string[]
  args?: readonly SyscallArgument[]
  /** The error number that the refused call returns; EPERM (1) if absent. */
  errno?: number
  /**
   * In observe mode, `log` allows and logs the call; `omit` only allows it, because logging would flood the log or be
   * useless.
   */
  observe?: 'log' | 'omit'
}

/** An enforcer cannot enforce the rule. The user sees the reason. */
export interface Impossible {
  impossible: string
}

/**
 * The gap that an enforcer leaves in a rule, and the enforcer that closes it. The rule is compiled in spite of the gap;
 * the text helps users to choose enforcers.
 */
export interface Gaps {
  appArmor?: string
  bpf?: string
  seccomp?: string
}

export function impossible(reason: string): Impossible {
  return { impossible: reason }
}

export function isImpossible(meaning: object): meaning is Impossible {
  return 'impossible' in meaning
}

/**
 * Category of a rule. It decides the policy's list: `hardeningRules`, `attackProtectionRules` or `vulMitigationRules`.
 */
export type RuleCategory = 'hardening' | 'attack-protection' | 'vulnerability-mitigation'

/** The list of `spec.policy.enhanceProtect` that takes the rules of a category. */
export const listOfCategory: Record<RuleCategory, string> = {
  hardening: 'hardeningRules',
  'attack-protection': 'attackProtectionRules[].rules',
  'vulnerability-mitigation': 'vulMitigationRules',
}

/** One built-in rule: its name, what it stops and why, and how each enforcer enforces it. */
export interface Rule {
  name: string
  aliases?: readonly string[]
  category: RuleCategory
  /** What is refused, in one sentence. */
  stops: string
  /** What an attacker gains without the rule, in one or two sentences. */
  why: string
  appArmor: readonly Restriction[] | Impossible
  bpf: readonly Restriction[] | Impossible
  seccomp: readonly SyscallRestriction[] | Impossible
  gaps?: Gaps
  /** Where and why the rule is stricter than bytedance/vArmor's rule of the same name, and the rule's limits. */
  notes?: readonly string[]
  /** CVEs, manual pages, kernel sources. */
  sources: readonly string[]
}
