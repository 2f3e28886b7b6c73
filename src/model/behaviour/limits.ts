/** How much of each kind one `Behaviour` keeps. What comes beyond is left out, counted, and named by a few examples. */
export interface Limits {
  /** Names in one directory; one that has more is a pattern, where no built-in rule forbids that. */
  directory: number
  /**
   * Directories and files of one enforcer. Where there are more, `directory` becomes smaller; for a moment they are
   * twice as many.
   */
  nodes: number
  /**
   * Bytes of their paths and of what is kept with each, of one enforcer. Where they take more it is as with too many
   * `nodes`: the names are the workload's, and long ones are as dear as many.
   */
  fileBytes: number
  /** The same of all that is not in the tree of files, of all enforcers. */
  otherBytes: number
  /** Patterns that came from another model. */
  patterns: number
  executions: number
  capabilities: number
  sockets: number
  /** Addresses that were connected to. */
  addresses: number
  /** Ports of one address. */
  ports: number
  peers: number
  mounts: number
  /** Permissions, signals or flags of one thing. */
  words: number
  syscalls: number
  profiles: number
  unhandled: number
  /** Characters of a name. */
  name: number
  /** Directories above a file. */
  depth: number
}

/**
 * `2 * fileBytes + otherBytes` at the most, in memory as in JSON: 14 MiB, however long the names are. A workload of a
 * real service takes some 100 KiB.
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
