import { type SocketFamily, socketFamilies, socketTypeNumbers } from '../api/linux-sockets.ts'
import type { Capability } from './capabilities.ts'

/**
 * The words in which the catalogue says what a rule forbids. They name kernel objects and operations, not the syntax of
 * one enforcer: `src/profile/` turns each into AppArmor text and BPF rules. Seccomp has words of its own, because it
 * sees system calls and their arguments and nothing else.
 */

/**
 * `write` is every way to change: open for writing, truncate, create, unlink, rename, link, mkdir, mknod, chmod, chown,
 * shared mapping; for a socket in the file system also connecting to it. `append` is opening with O_APPEND alone
 * (contained in `write`).
 */
export type FileAccess = 'read' | 'write' | 'append' | 'exec'

/** Ways to change the mount table; `new` is mounting a file system, `remount` changes the flags of a mount. */
export type MountOperation = 'new' | 'bind' | 'move' | 'remount' | 'umount'

/** From the side of the process in the container: `read` and `trace` act on others, `readby` and `traceby` suffer it. */
export type PtraceAccess = 'read' | 'trace' | 'readby' | 'traceby'

export type SocketDomain = Exclude<SocketFamily, 'decnet'>
export type SocketType = (typeof socketTypes)[number]
export type SocketProtocol = (typeof socketProtocols)[number]

/** Address families that rules can name. AF_DECnet is left out: Linux 6.1 removed it. */
export const socketDomains = socketFamilies.filter((name) => name !== 'decnet')

export const socketTypes = Object.keys(socketTypeNumbers) as (keyof typeof socketTypeNumbers)[]

/**
 * What a socket of IPv4 or IPv6 speaks: `icmp` is ICMP and ICMPv6. A socket that is made with protocol 0 speaks the
 * default of its type, `tcp` for stream and `udp` for dgram (ip(7)).
 */
export const socketProtocols = ['icmp', 'tcp', 'udp'] as const

/** A path pattern in the syntax of `src/profile/path-pattern.ts`: exact, `*` within one segment, `**` across segments. */
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
  /** Sockets that are created; a field that is left out matches all. */
  | {
      kind: 'socket'
      domains?: readonly SocketDomain[]
      types?: readonly SocketType[]
      protocols?: readonly SocketProtocol[]
    }
  /** Connections and datagrams to an address or block (v4, v6; v4-mapped forms are meant too). */
  | { kind: 'egress'; to: string }
  /** Connections to a Kubernetes Service and what is behind it; the addresses come from the cluster. */
  | { kind: 'service'; namespace: string; name: string }
  /** `outside`: only between the container and the rest of the node. */
  | { kind: 'ptrace'; access: readonly PtraceAccess[]; scope: 'all' | 'outside' }
  | { kind: 'userns' }
  /** Making a userfaultfd, by system call or device. */
  | { kind: 'userfaultfd' }
  | { kind: 'bpf'; commands: readonly ('prog_load' | 'map_create')[] }
  /** Block devices by their inode, whatever they are called. */
  | { kind: 'block-device'; deny: readonly FileAccess[] }
  /** Block devices that the node has under names that the catalogue does not know: accesses, and mounts of them. */
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
  /** The value; for MASKED_EQ the mask. */
  value: number
  /** For MASKED_EQ what the masked argument must be. */
  valueTwo?: number
}

/** System calls that are refused when every given argument compares true. */
export interface SyscallRestriction {
  names: readonly string[]
  args?: readonly SyscallArgument[]
  /** What the call returns when refused; EPERM (1) when left out. */
  errno?: number
  /** In observe mode a call is logged and let through; `omit` where logging would drown the log or tell nothing. */
  observe?: 'log' | 'omit'
}

/** An enforcer cannot carry the rule, and why: the reason is shown to the user. */
export interface Impossible {
  impossible: string
}

/**
 * What an enforcer leaves open of a rule that it carries, and which other enforcer closes it. The rule is compiled all
 * the same; whoever chooses enforcers reads it.
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

/** Where in a policy a rule is written: `hardeningRules`, `attackProtectionRules` or `vulMitigationRules`. */
export type RuleCategory = 'hardening' | 'attack-protection' | 'vulnerability-mitigation'

/** The list of `spec.policy.enhanceProtect` that takes the rules of a category. */
export const listOfCategory: Record<RuleCategory, string> = {
  hardening: 'hardeningRules',
  'attack-protection': 'attackProtectionRules[].rules',
  'vulnerability-mitigation': 'vulMitigationRules',
}

/** One built-in rule: what it is called, what it stops and why, and what each enforcer makes of it. */
export interface Rule {
  name: string
  aliases?: readonly string[]
  category: RuleCategory
  /** What is refused, in one sentence. */
  stops: string
  /** What an attacker gains without it, in one or two sentences. */
  why: string
  appArmor: readonly Restriction[] | Impossible
  bpf: readonly Restriction[] | Impossible
  seccomp: readonly SyscallRestriction[] | Impossible
  gaps?: Gaps
  /** Where it is stricter than the rule of the same name in bytedance/vArmor, and why; where it has a limit. */
  notes?: readonly string[]
  /** CVEs, manual pages, kernel sources. */
  sources: readonly string[]
}
