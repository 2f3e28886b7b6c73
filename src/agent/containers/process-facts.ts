import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cgroupPathOf, idOfPath, isTooLong, ownPathOf } from '../../audit/enrich/cgroup-path.ts'
import { startOfStat } from '../../audit/enrich/proc-pid-resolver.ts'

/** Facts from /proc about a container's first process. */
export interface ProcessFacts {
  /** inode number of the mount namespace; 0 if it cannot be read */
  mntNsID: number
  /** start time, in ticks since the boot */
  initStart?: number
  /** inode number of the cgroup (version 2), if it can be seen */
  cgroupID?: bigint
  /** Path of the container's cgroup. The first process may have moved to a cgroup below it. */
  cgroupPath?: string
}

/**
 * Reads facts about a process. undefined if the process no longer exists, or if it is now a process of another
 * container.
 */
export type ReadProcessFacts = (pid: number, containerID: string) => Promise<ProcessFacts | undefined>

const gone = new Set(['ENOENT', 'ESRCH', 'EACCES'])
const refused = new Set(['EACCES', 'EPERM'])

/** @param root folder that contains the node's `proc` and `sys/fs/cgroup` */
export function processFacts(root = '/'): ReadProcessFacts {
  return async (pid, containerID) => {
    const folder = join(root, 'proc', String(pid))
    try {
      const initStart = startOfStat(await readFile(join(folder, 'stat'), 'latin1'))
      const cgroup = await readCgroup(join(folder, 'cgroup'))
      const path = cgroupPathOf(cgroup)
      const own = ownPathOf(path, containerID)
      if (own === undefined && idOfPath(path) !== '' && /^[0-9a-f]{64}$/.test(containerID)) return undefined
      const mntNsID = await namespaceNumber(join(folder, 'ns/mnt'))
      const cgroupID = await inodeOf(join(root, 'sys/fs/cgroup'), cgroup, containerID)
      return {
        mntNsID,
        initStart,
        ...(cgroupID !== undefined && { cgroupID }),
        ...(own !== undefined && { cgroupPath: own }),
      }
    } catch (error) {
      if (gone.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }
}

/**
 * Returns the text of the file; empty if it contains a path that is too long for the kernel to show. Then the container
 * has created that cgroup and moved its first process there.
 */
async function readCgroup(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    if (isTooLong(error)) return ''
    throw error
  }
}

/**
 * Inode number of a namespace; 0 if it cannot be read. A container's AppArmor profile may deny even root to read its
 * namespaces.
 */
export async function namespaceNumber(path: string): Promise<number> {
  try {
    return (await stat(path)).ino
  } catch (error) {
    if (refused.has((error as NodeJS.ErrnoException).code ?? '')) return 0
    throw error
  }
}

/** Inode number of the cgroup in the line `0::PATH`, the line for cgroup version 2. */
async function inodeOf(mount: string, cgroup: string, containerID: string): Promise<bigint | undefined> {
  const path = cgroup
    .split('\n')
    .find((line) => line.startsWith('0::/'))
    ?.slice('0::'.length)
  if (path === undefined) return undefined
  try {
    return (await stat(join(mount, ownPathOf(path, containerID) ?? path), { bigint: true })).ino
  } catch (error) {
    if (gone.has((error as NodeJS.ErrnoException).code ?? '') || isTooLong(error)) return undefined
    throw error
  }
}
