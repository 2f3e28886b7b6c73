import type { LabelSelector, ModelBpf } from '../../api/types.ts'
import type { Capability } from '../../rules/capabilities.ts'
import type {
  FileAccess,
  MountOperation,
  PtraceAccess,
  SocketDomain,
  SocketProtocol,
  SocketType,
} from '../../rules/meaning.ts'
import type { EgressTable } from './egress.ts'
import type { Ports } from './port-set.ts'

/** The reaction to a match. With `audit` alone the access is allowed and reported. Rules that match together add up. */
export interface Verdict {
  deny: boolean
  audit: boolean
}

/**
 * Everything that the BPF enforcer does for a container, independent of the node. Equal policies give equal JSON.
 * Readers and table builders use the rules; the kernel uses only automata, masks and tables.
 */
export interface BpfProfile {
  /** `complain` (behaviour modelling): every access is allowed, and every access that a hook sees is reported. */
  mode: 'enforce' | 'complain'
  /**
   * Set if the profile is an allow list: the reaction to accesses that the list does not allow. The tables of an allow
   * list contain everything that is not allowed.
   */
  unlisted?: Verdict
  /** The allow list, for readers. */
  allowed?: ModelBpf
  files: FileRules
  mounts?: MountRules
  capabilities?: CapabilityRules
  sockets: SocketRule[]
  egress?: EgressRules
  ptrace?: PtraceRules
  /** Creating a user namespace (hook userns_create, and other hooks before Linux 6.1). */
  userns?: Verdict
  /** Creating a userfaultfd (hook inode_init_security_anon, Linux 5.12). */
  userfaultfd?: Verdict
  /** Commands of bpf(2). */
  bpf: ({ command: 'prog_load' | 'map_create' } & Verdict)[]
  /** `fileFlags` for opening a block device by any name: the hook checks the inode's type. */
  blockDevices: number
}

/** A table for a kernel map; its layout is in table.ts. */
export interface Automaton {
  states: number
  classes: number
  /** Size of the table. */
  bytes: number
  /** Offset in the cells at which the walk starts, and number of cells. */
  start: number
  cells: number
  table: string
}

/**
 * Flags of a path, from one walk of the automaton: a bit refuses an access, the bit `AUDIT_SHIFT` higher reports it.
 * `write` is any change, also of the name or the attributes; `exec` is running the file, also as an interpreter.
 */
export const fileFlags = { read: 1, write: 2, append: 4, exec: 8, way: 16 } as const
/**
 * The flag for giving the path another name (rename, link, bind, move) or covering it by a mount. A rule about any
 * access sets this flag too. Only an allow list uses it independently of other flags.
 */
export const CARRY = 32
export const AUDIT_SHIFT = 8

export interface FileRule {
  pattern: string
  /** Refused and reported accesses. `write` contains `append`. */
  deny: FileAccess[]
  audit: FileAccess[]
  /**
   * Whether the directories above the path are protected too, with the flag `way`. The flag counts for directories
   * only, because a pattern such as `/proc/**` also matches files.
   */
  way: boolean
  /** Only for default rules of the runtime: paths to which this rule does not apply, although its pattern matches. */
  except?: string[]
}

export interface FileRules {
  rules: FileRule[]
  /** The union of the flags of all rules; it also applies to a path that the kernel cannot rebuild. */
  any: number
  automaton?: Automaton
}

/** The ways to change the mount table, as bits; pivot_root(2) is a move of `/`. */
export const mountOperations = { new: 1, bind: 2, move: 4, remount: 8, umount: 16, propagation: 32 } as const
export type MountOperationName = MountOperation | 'propagation'

/**
 * A rule about mounting. It matches if the operation, the type, the source and the target match, and the mount has a
 * flag of `set` or lacks a flag of `clear` (MS_ flags of mount(2); `move` and `umount` do not have flags).
 */
export interface MountRule extends Verdict {
  /**
   * Only in an allow list: a mount that matches the rule is allowed, even if other rules refuse it. The mount must have
   * all flags in `set`, and no flag in `clear`.
   */
  allow?: true
  operations: MountOperationName[]
  set: number
  clear: number
  /** Absent: any type. Only a new mount has a type; other operations have the type `none`. */
  fstype?: string
  /**
   * The path that bind and move carry; the mount point of remount, umount and propagation; the device of a new mount.
   */
  source?: string
  /** The mount point. */
  target?: string
}

/** An automaton marks a path with an index in `sets`. The set contains the numbers of the rules that match the path. */
export interface MountRules {
  rules: MountRule[]
  /** Rules without a pattern for the source or the target match every source or target. */
  sources: PatternSets
  targets: PatternSets
}

export interface PatternSets {
  /** Numbers of the rules without a pattern. */
  always: number[]
  sets: number[][]
  automaton?: Automaton
}

/** A set of 64 bits as two numbers of 32: the lower, then the upper half. */
export type Mask64 = [low: number, high: number]

export interface CapabilityRules {
  deny: Capability[]
  audit: Capability[]
  denyMask: Mask64
  auditMask: Mask64
}

/**
 * A rule about creating sockets; an absent field or a mask of 0 matches all. Only IPv4 and IPv6 sockets have protocols:
 * 0 is the default of the type, Multipath TCP (262) counts as tcp, UDP-Lite (136) as udp, and ICMPv6 (58) as icmp.
 */
export interface SocketRule extends Verdict {
  domains?: SocketDomain[]
  types?: SocketType[]
  protocols?: SocketProtocol[]
  domainMask: Mask64
  typeMask: number
  protocolMask: Mask64
}

/** Outgoing connections and datagrams. Addresses that only the cluster or the node knows are `references`. */
export interface EgressRules {
  destinations: ({ to: string; ports: Ports[] } & Verdict)[]
  references: EgressReference[]
  /** The table for `destinations`. To add the addresses of references, `compileEgress` compiles both again. */
  table: EgressTable
}

export type EgressReference = Verdict & { ports: Ports[] } & (
    | { kind: 'service'; namespace: string; name: string }
    | { kind: 'services'; namespace: string; selector: LabelSelector }
    /** An empty namespace means all namespaces. */
    | { kind: 'pods'; namespace: string; selector: LabelSelector }
    /** The addresses of the container's own pod: the kernel keeps them by container, not by profile. */
    | { kind: 'pod-self' }
  )

export const ptraceAccess = { read: 1, trace: 2, readby: 4, traceby: 8 } as const

/** Masks of `ptraceAccess`: `outside` applies if the other process is not in the container, `all` to any process. */
export interface PtraceRules {
  rules: ({ access: PtraceAccess[]; scope: 'all' | 'outside' } & Verdict)[]
  denyAll: number
  denyOutside: number
  auditAll: number
  auditOutside: number
}
