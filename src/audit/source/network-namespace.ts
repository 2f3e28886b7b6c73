import { readlinkSync, statSync } from 'node:fs'

/** What the functions below read from /proc. */
export interface ProcView {
  exists(path: string): boolean
  /** The target of a symbolic link, or null if it cannot be read. */
  link(path: string): string | null
}

const realProc: ProcView = {
  exists: (path) => statSync(path, { throwIfNoEntry: false }) !== undefined,
  link(path) {
    try {
      return readlinkSync(path)
    } catch {
      return null // It is another user's process, or there is no /proc. There are other ways to find out.
    }
  },
}

// Fixed numbers of the initial namespaces (include/uapi/linux/nsfs.h): of the PID namespace since Linux 3.8, of the
// network namespace since 6.18. Earlier kernels used the next free number from 0xF0000000 on. So a match is proof on
// any kernel, but a mismatch is not.
const INITIAL_NETWORK = 'net:[4026531833]'
const INITIAL_PID = 'pid:[4026531836]'

/**
 * Whether this thread is in the host's (initial) network namespace. The kernel sends audit records only there: in
 * another namespace, joining the group succeeds, but no record ever comes.
 */
export function networkNamespace(proc: ProcView = realProc): 'initial' | 'other' | 'unknown' {
  const own = proc.link('/proc/thread-self/ns/net') ?? proc.link('/proc/self/ns/net')
  if (own === INITIAL_NETWORK) return 'initial'
  // On all kernels, netdev_budget exists only in the initial namespace, and /proc/sys/net shows each thread its own
  // namespace.
  if (proc.exists('/proc/sys/net/core')) return proc.exists('/proc/sys/net/core/netdev_budget') ? 'initial' : 'other'
  const init = proc.link('/proc/1/ns/net')
  if (own === null || init === null || proc.link('/proc/self/ns/pid') !== INITIAL_PID) return 'unknown'
  return own === init ? 'initial' : 'other'
}
