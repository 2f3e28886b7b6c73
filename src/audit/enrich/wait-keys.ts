import type { ContainerInfo } from './snapshot.ts'

/** What a record waits for, and what news is about: a pid, or a text for a container, a cgroup or a mount namespace. */
export type WaitKey = number | string

/** Maximum milliseconds that any record waits for its container. Records of a recording profile wait longest. */
export const maxWait = 30_000

/** For records that need not wait. One shared array saves an allocation for each record. */
export const waitsForNothing: readonly WaitKey[] = []

/**
 * Keys of cgroups, mount namespaces and container numbers. They have prefixes, because their numbers may equal a pid. A
 * container's id is its own key.
 */
export const cgroupKey = (id: bigint): WaitKey => `cgroup ${id}`
export const mountKey = (inode: number): WaitKey => `mnt ${inode}`
export const numberKey = (bpfNumber: number): WaitKey => `number ${bpfNumber}`

/** All keys that a record of this container may wait for. */
export function keysOfContainer({ containerID, initPid, cgroupID, mntNsID, bpfNumber }: ContainerInfo): WaitKey[] {
  const keys: WaitKey[] = [containerID, initPid]
  if (cgroupID !== undefined) keys.push(cgroupKey(cgroupID))
  if (mntNsID !== 0) keys.push(mountKey(mntNsID))
  if (bpfNumber !== undefined) keys.push(numberKey(bpfNumber))
  return keys
}
