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

/** What is done with a match. Only `audit`: it is let through, and reported. Rules that match together add up. */
export interface Verdict {
  deny: boolean
  audit: boolean
}

/**
 * All that the BPF enforcer does for a container, independent of the node. Plain data: JSON and back changes nothing,
 * and equal policies give equal JSON. Rules are for people and for the table builders; the kernel gets `automaton`s,
 * masks and tables.
 */
export interface BpfProfile {
  /** `complain`: everything is let through, and every access that a hook sees is reported (behaviour modelling). */
  mode: 'enforce' | 'complain'
  /**
   * What is done with what no rule allows, in a profile that lists what is allowed. Its tables are made the other way
   * round: they have all but that.
   */
  unlisted?: Verdict
  /** That list, for people. */
  allowed?: ModelBpf
  files: FileRules
  mounts?: MountRules
  capabilities?: CapabilityRules
  sockets: SocketRule[]
  egress?: EgressRules
  ptrace?: PtraceRules
  /** Making a user namespace (hook userns_create, and others before Linux 6.1). */
  userns?: Verdict
  /** Making a userfaultfd (hook inode_init_security_anon, Linux 5.12). */
  userfaultfd?: Verdict
  /** Commands of bpf(2). */
  bpf: ({ command: 'prog_load' | 'map_create' } & Verdict)[]
  /** Opening a block device, whatever it is called: `fileFlags` by the inode's type. */
  blockDevices: number
}

/** A table for a kernel map; its layout is in table.ts. */
export interface Automaton {
  states: number
  classes: number
  /** Size of the table. */
  bytes: number
  /** Where the walk starts, and how many cells there are. */
  start: number
  cells: number
  table: string
}

/**
 * Flags of a path, from one walk of the automaton. Accesses come as a bit that refuses and, eight bits above, one that
 * reports. What a hook asks for:
 *
 * - opening: READ, WRITE or APPEND as opened; running it or as an interpreter: EXEC (and no READ).
 * - changing it in any way (truncate, create, unlink, rename to or from, link to, symlink, mkdir, rmdir, mknod, chmod,
 *   chown, xattr, mapping shared and writable, connecting to it as a socket): WRITE.
 * - carrying it to another name (rename from, link from, bind, move) or covering it by a mount: CARRY or WAY. CARRY
 *   stands where any access does; only in a profile that lists what is allowed it is a flag of its own.
 * - removing it: WRITE or WAY.
 *
 * WAY stands on the directories on the way to a protected path, and counts for directories only: a rule about mounts
 * anywhere in /proc has it on all of /proc, but only directories lead there. A path that cannot be rebuilt has all
 * flags of `any`.
 */
export const fileFlags = { read: 1, write: 2, append: 4, exec: 8, way: 16 } as const
/** See fileFlags. */
export const CARRY = 32
export const AUDIT_SHIFT = 8

export interface FileRule {
  pattern: string
  /** Refused and reported accesses. `write` contains `append`. */
  deny: FileAccess[]
  audit: FileAccess[]
  /** Whether the way there is protected alike. */
  way: boolean
  /** Of the runtime's default rules: paths under `except` are spared, unless another rule means them. */
  except?: string[]
}

export interface FileRules {
  rules: FileRule[]
  /** The union of the flags of all rules. */
  any: number
  automaton?: Automaton
}

/** The ways to change the mount table, as bits; pivot_root(2) is a move of `/`. */
export const mountOperations = { new: 1, bind: 2, move: 4, remount: 8, umount: 16, propagation: 32 } as const
export type MountOperationName = MountOperation | 'propagation'

/**
 * A rule about mounting. It matches when the operation is one of `operations`, and, unless it is `move` or `umount`,
 * one of the flags in `set` is given or one in `clear` is not (MS_ flags of mount(2)), and type, source and target
 * match.
 *
 * The source of bind and move is the path that is carried, of umount, remount and propagation the mount point, of a new
 * mount the device's name as it was given, or its path where it is a device. The target is the mount point. The type of
 * anything but a new mount is `none`.
 */
export interface MountRule extends Verdict {
  /**
   * Of a profile that lists what is allowed: what matches is, whatever other rules say. Then all of `set` and none of
   * `clear` must be given.
   */
  allow?: true
  operations: MountOperationName[]
  set: number
  clear: number
  /** Any when left out. */
  fstype?: string
  source?: string
  target?: string
}

/** Automata mark a path with a number of `sets`, which lists the numbers of the rules whose pattern matches it. */
export interface MountRules {
  rules: MountRule[]
  /** By rule, what is compared besides the patterns; those of a rule without a pattern match every path. */
  sources: PatternSets
  targets: PatternSets
}

export interface PatternSets {
  /** Rules without a pattern here. */
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
 * A rule about making sockets; what is left out matches all. Protocols are of IPv4 and IPv6 sockets only: 0 is the
 * default of the type, Multipath TCP (262) counts as tcp, UDP-Lite (136) as udp, and icmp is ICMPv6 (58) too. Masks
 * hold the bits of AF_, SOCK_ and IPPROTO_ numbers; a mask of 0 matches all.
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
  /** Of `destinations`. Rules for resolved references are added by compiling both again with `compileEgress`. */
  table: EgressTable
}

export type EgressReference = Verdict & { ports: Ports[] } & (
    | { kind: 'service'; namespace: string; name: string }
    | { kind: 'services'; namespace: string; selector: LabelSelector }
    /** An empty namespace means all. */
    | { kind: 'pods'; namespace: string; selector: LabelSelector }
    /** The addresses of the container's own pod: the kernel keeps them by container, not by profile. */
    | { kind: 'pod-self' }
  )

export const ptraceAccess = { read: 1, trace: 2, readby: 4, traceby: 8 } as const

/** Masks of `ptraceAccess`: `outside` where the other process is not of the container, `all` in any case. */
export interface PtraceRules {
  rules: ({ access: PtraceAccess[]; scope: 'all' | 'outside' } & Verdict)[]
  denyAll: number
  denyOutside: number
  auditAll: number
  auditOutside: number
}
