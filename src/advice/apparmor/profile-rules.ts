/** The parts of a rule in a profile that matter for decisions. Globs are as in the text, without quotes. */
export type ProfileRule = { deny: boolean; audit: boolean; text: string } & (
  | {
      kind: 'file'
      /** Absent if the rule is about all files. */
      glob?: string
      /** Some of r, w, a, l, k, m and x. */
      letters: string
      owner?: 'owner' | 'other'
      /** The child profile in which the program runs. */
      child?: string
    }
  | { kind: 'link'; from: string; to: string; isSubset: boolean }
  /** Absent if the rule is about all capabilities. */
  | { kind: 'capability'; names?: readonly string[] }
  | { kind: 'network'; domain?: string; type?: string }
  | { kind: 'ptrace'; accesses: readonly string[]; peer?: string }
  | { kind: 'signal'; accesses: readonly string[]; signals?: readonly string[]; peer?: string }
  | { kind: 'mount'; types?: readonly string[]; options?: MountOptions; source?: string; target?: string }
  | { kind: 'remount'; target?: string }
  | { kind: 'umount'; target?: string }
  | { kind: 'pivot_root' }
  | { kind: 'userns' }
  /** A rule about D-Bus, limits or io_uring. No kind of Operation represents these. */
  | { kind: 'other' }
)

/** Flags of mount(2) that a mount must have, and flags that it may have. */
export interface MountOptions {
  needed: number
  possible: number
}

export type RuleOf<Kind extends ProfileRule['kind']> = Extract<ProfileRule, { kind: Kind }>

export interface ReadProfile {
  name: string
  complain: boolean
  /** Whether the profile uses ABI 4.0, which mediates more kinds of operations. */
  isNewer: boolean
  rules: readonly ProfileRule[]
  /** Files of the node that the profile includes. */
  includes: readonly string[]
  /** Child profiles by their own name, without the name of the profile. */
  children: ReadonlyMap<string, ReadProfile>
}
