import type { Capability } from '../../rules/capabilities.ts'
import type { FileAccess, PtraceAccess, SocketDomain, SocketProtocol, SocketType } from '../../rules/meaning.ts'
import type { PathPattern } from '../path-pattern.ts'
import type { EgressReference, MountOperationName, Verdict } from './bpf-profile.ts'
import type { Ports } from './port-set.ts'

// The rules of a policy, before equal rules are merged and tables are made. Each entry has the verdict for a match, and
// the field of the policy that it comes from.

export type Drafted<T> = T & Verdict & { from: string }

export interface DraftFile {
  pattern: PathPattern
  access: readonly FileAccess[]
  /** Patterns that are spared; see `FileRule.except`. */
  except?: readonly PathPattern[]
}

export interface DraftMount {
  /** See `MountRule.allow`. */
  allow?: true
  operations: readonly MountOperationName[]
  set: number
  clear: number
  fstype?: string
  source?: PathPattern
  target?: PathPattern
}

export interface DraftSocket {
  domains?: readonly SocketDomain[]
  types?: readonly SocketType[]
  protocols?: readonly SocketProtocol[]
}

export interface DraftDestination {
  /** What the rule says: an address, a block, or a word for some. */
  to: string
  blocks: readonly string[]
  ports: readonly Ports[]
}

export type DraftReference = EgressReference extends infer R
  ? R extends Verdict
    ? Omit<R, keyof Verdict>
    : never
  : never

export interface Draft {
  files: Drafted<DraftFile>[]
  mounts: Drafted<DraftMount>[]
  capabilities: Drafted<{ names: readonly Capability[] }>[]
  sockets: Drafted<DraftSocket>[]
  destinations: Drafted<DraftDestination>[]
  references: Drafted<DraftReference>[]
  /** What references come to, as far as the addresses are known. */
  resolved: Drafted<DraftDestination>[]
  ptrace: Drafted<{ access: readonly PtraceAccess[]; scope: 'all' | 'outside' }>[]
  userns: Drafted<object>[]
  userfaultfd: Drafted<object>[]
  bpf: Drafted<{ command: 'prog_load' | 'map_create' }>[]
  blockDevices: Drafted<{ access: readonly FileAccess[] }>[]
  /** Whether the ways to protected paths are protected. */
  protectWays: boolean
  /** What is done with a match of a rule that does not say so itself. */
  verdict: Verdict
}

const denied: Verdict = { deny: true, audit: false }

export function emptyDraft(protectWays = true, verdict = denied): Draft {
  return {
    files: [],
    mounts: [],
    capabilities: [],
    sockets: [],
    destinations: [],
    references: [],
    resolved: [],
    ptrace: [],
    userns: [],
    userfaultfd: [],
    bpf: [],
    blockDevices: [],
    protectWays,
    verdict,
  }
}
