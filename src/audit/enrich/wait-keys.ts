import type { ContainerInfo } from './snapshot.ts'

/** Names a fact that a record waits for, and that news is about: a pid, or a text for another kind of fact. */
export type WaitKey = number | string

/** Maximum milliseconds that any record waits for its container. Records of a recording profile wait longest. */
export const maxWait = 30_000

/** For records that need not wait. One shared array saves an allocation for each record. */
export const waitsForNothing: readonly WaitKey[] = []

/**
 * Keys of cgroups, mount namespaces and container numbers. The prefixes distinguish them from pids and from each other.
 * The key of a container is its id.
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
