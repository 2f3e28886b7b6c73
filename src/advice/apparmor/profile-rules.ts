/** A rule of a profile, as far as it is judged by. Globs are as the text has them, without quotes. */
export type ProfileRule = { deny: boolean; audit: boolean; text: string } & (
  | {
      kind: 'file'
      /** Left out: all files. */
      glob?: string
      /** Of r, w, a, l, k, m and x. */
      letters: string
      owner?: 'owner' | 'other'
      /** The child in which the program runs. */
      child?: string
    }
  | { kind: 'link'; from: string; to: string; isSubset: boolean }
  /** Left out: all. */
  | { kind: 'capability'; names?: readonly string[] }
  | { kind: 'network'; domain?: string; type?: string }
  | { kind: 'ptrace'; accesses: readonly string[]; peer?: string }
  | { kind: 'signal'; accesses: readonly string[]; signals?: readonly string[]; peer?: string }
  | { kind: 'mount'; types?: readonly string[]; options?: MountOptions; source?: string; target?: string }
  | { kind: 'remount'; target?: string }
  | { kind: 'umount'; target?: string }
  | { kind: 'pivot_root' }
  | { kind: 'userns' }
  /** What no operation of ours is about: buses, limits, io_uring. */
  | { kind: 'other' }
)

/** Bits of mount(2): those that must be given, and those that may be. */
export interface MountOptions {
  needed: number
  possible: number
}

export type RuleOf<Kind extends ProfileRule['kind']> = Extract<ProfileRule, { kind: Kind }>

export interface ReadProfile {
  name: string
  complain: boolean
  /** Kinds of operations that the ABI 4.0 knows besides are judged, too. */
  isNewer: boolean
  rules: readonly ProfileRule[]
  /** Files of the node that the profile includes. */
  includes: readonly string[]
  /** By name, without that of the profile. */
  children: ReadonlyMap<string, ReadProfile>
}
