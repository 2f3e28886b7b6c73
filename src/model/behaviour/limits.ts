/**
 * The limits of one `Behaviour` for each kind of fact. Facts beyond the limits are left out and counted, with examples.
 */
export interface Limits {
  /**
   * Maximum names in one directory. A directory with more names becomes a pattern, unless a built-in rule forbids this
   * pattern.
   */
  directory: number
  /**
   * Maximum directories and files of one enforcer. If there are more, `directory` becomes smaller. While parts are
   * merged, there can be twice as many.
   */
  nodes: number
  /**
   * Maximum bytes of the paths and facts of one enforcer's files. Too many bytes have the same effect as too many
   * `nodes`, because a workload can choose long names as well as many names.
   */
  fileBytes: number
  /** Maximum bytes of everything outside the trees of files, for all enforcers together. */
  otherBytes: number
  /** Maximum patterns from other models. */
  patterns: number
  executions: number
  capabilities: number
  sockets: number
  /** Maximum addresses to which the workload connected. */
  addresses: number
  /** Maximum ports of one address. */
  ports: number
  peers: number
  mounts: number
  /** Maximum permissions, signals or flags of one fact. */
  words: number
  syscalls: number
  profiles: number
  unhandled: number
  /** Maximum characters of a name. */
  name: number
  /** Maximum directories above a file. */
  depth: number
}

/**
 * With these limits, a behaviour takes at most `2 * fileBytes + otherBytes`, 14 MiB, in memory and as JSON, even if
 * names are long. A real service takes about 100 KiB.
 */
export const defaultLimits: Limits = {
  directory: 256,
  nodes: 50_000,
  fileBytes: 6 * 1024 * 1024,
  otherBytes: 2 * 1024 * 1024,
  patterns: 4096,
  executions: 1024,
  capabilities: 64,
  sockets: 256,
  addresses: 1024,
  ports: 64,
  peers: 256,
  mounts: 256,
  words: 80,
  syscalls: 600,
  profiles: 64,
  unhandled: 64,
  name: 4096,
  depth: 128,
}
