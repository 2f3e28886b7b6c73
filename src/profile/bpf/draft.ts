import type { Capability } from '../../rules/capabilities.ts'
import type { FileAccess, PtraceAccess, SocketDomain, SocketProtocol, SocketType } from '../../rules/meaning.ts'
import type { PathPattern } from '../path-pattern.ts'
import type { EgressReference, MountOperationName, Verdict } from './bpf-profile.ts'
import type { Ports } from './port-set.ts'

// The rules of a policy, before equal rules are merged and tables are built. Each entry has the verdict for a match,
// and in `from` the field of the policy that contains the rule.

export type Drafted<T> = T & Verdict & { from: string }

export interface DraftFile {
  pattern: PathPattern
  access: readonly FileAccess[]
  /** Excepted patterns; see `FileRule.except`. */
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
  /** The destination as the rule names it: an address, a block, or a word such as `localhost`. */
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
  /** The destinations of references whose addresses are known. */
  resolved: Drafted<DraftDestination>[]
  ptrace: Drafted<{ access: readonly PtraceAccess[]; scope: 'all' | 'outside' }>[]
  userns: Drafted<object>[]
  userfaultfd: Drafted<object>[]
  bpf: Drafted<{ command: 'prog_load' | 'map_create' }>[]
  blockDevices: Drafted<{ access: readonly FileAccess[] }>[]
  /** Whether the directories above protected paths are protected too. */
  protectWays: boolean
  /** The verdict of rules without qualifiers. */
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
