import type { ContainerInfo } from './snapshot.ts'

/** What a record waits for, and what news are about: a pid, or a text for a container, a cgroup or a mount namespace. */
export type WaitKey = number | string

/** Milliseconds that a record waits for its container at most: one whose profile is recorded. */
export const longestWait = 30_000

/** Of whatever need not wait. One array for all, so that none is made for a record. */
export const waitsForNothing: readonly WaitKey[] = []

/** Cgroups, mount namespaces and containers have numbers, which pids have too; the id of a container is its own key. */
export const cgroupKey = (id: bigint): WaitKey => `cgroup ${id}`
export const mountKey = (inode: number): WaitKey => `mnt ${inode}`
export const numberKey = (bpfNumber: number): WaitKey => `number ${bpfNumber}`

/** All that a record may wait for which is of this container. */
export function keysOfContainer({ containerID, initPid, cgroupID, mntNsID, bpfNumber }: ContainerInfo): WaitKey[] {
  const keys: WaitKey[] = [containerID, initPid]
  if (cgroupID !== undefined) keys.push(cgroupKey(cgroupID))
  if (mntNsID !== 0) keys.push(mountKey(mntNsID))
  if (bpfNumber !== undefined) keys.push(numberKey(bpfNumber))
  return keys
}
