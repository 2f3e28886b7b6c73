import { statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Returns the inode number of the host's mount namespace, by which BPF programs recognise processes outside containers;
 * or the reason why it cannot be read.
 */
export function hostMountNamespace(procRoot = '/proc'): number | string {
  try {
    return statSync(join(procRoot, '1/ns/mnt')).ino
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return `the mount namespace of the node cannot be seen (${code}); run in the host's PID namespace (hostPID: true), as root with CAP_SYS_PTRACE`
  }
}
