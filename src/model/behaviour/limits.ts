/** The limits of one `Behaviour` for each kind of fact. Facts beyond them are left out and counted, with examples. */
export interface Limits {
  /** Names in one directory. A directory with more names becomes a pattern, unless a built-in rule forbids that. */
  directory: number
  /**
   * Directories and files of one enforcer. If there are more, `directory` becomes smaller; until then, there can be
   * twice as many.
   */
  nodes: number
  /**
   * Bytes of the files of one enforcer: their paths and their facts. More bytes have the same effect as too many
   * `nodes`, because a workload can choose long names as well as many names.
   */
  fileBytes: number
  /** Bytes of everything outside the trees of files, for all enforcers together. */
  otherBytes: number
  /** Patterns that came from another model. */
  patterns: number
  executions: number
  capabilities: number
  sockets: number
  /** Addresses to which the workload connected. */
  addresses: number
  /** Ports of one address. */
  ports: number
  peers: number
  mounts: number
  /** Permissions, signals or flags of one fact. */
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
 * At most `2 * fileBytes + otherBytes`, 14 MiB, in memory and as JSON, however long the names are. A real service takes
 * about 100 KiB.
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
