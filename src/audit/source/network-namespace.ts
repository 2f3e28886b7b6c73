import { readlinkSync, statSync } from 'node:fs'

/** Reads from /proc, which tests replace. */
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
      return null // The process belongs to another user, or /proc is not mounted. The caller has other ways.
    }
  },
}

// Fixed numbers of the initial namespaces (include/uapi/linux/nsfs.h): of the PID namespace since Linux 3.8, of the
// network namespace since 6.18. Earlier kernels gave it another number, from 0xF0000000 on. So a match proves that the
// namespace is initial, but a mismatch does not prove that it is not.
const INITIAL_NETWORK = 'net:[4026531833]'
const INITIAL_PID = 'pid:[4026531836]'

/**
 * Whether this thread is in the host's (initial) network namespace. The kernel sends audit records only to this
 * namespace. In another namespace, a process can join the group, but does not get records.
 */
export function networkNamespace(proc: ProcView = realProc): 'initial' | 'other' | 'unknown' {
  const own = proc.link('/proc/thread-self/ns/net') ?? proc.link('/proc/self/ns/net')
  if (own === INITIAL_NETWORK) return 'initial'
  // /proc/sys/net shows the thread's namespace. On all kernels, netdev_budget exists only in the initial namespace.
  if (proc.exists('/proc/sys/net/core')) return proc.exists('/proc/sys/net/core/netdev_budget') ? 'initial' : 'other'
  const init = proc.link('/proc/1/ns/net')
  if (own === null || init === null || proc.link('/proc/self/ns/pid') !== INITIAL_PID) return 'unknown'
  return own === init ? 'initial' : 'other'
}
