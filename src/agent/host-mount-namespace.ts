import { statSync } from 'node:fs'
import { join } from 'node:path'

/** Its inode number, by which the programs know what is no container's; or why it cannot be found out. */
export function hostMountNamespace(procRoot = '/proc'): number | string {
  try {
    return statSync(join(procRoot, '1/ns/mnt')).ino
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return `the mount namespace of the node cannot be seen (${code}); run in the host's PID namespace (hostPID: true), as root with CAP_SYS_PTRACE`
  }
}
