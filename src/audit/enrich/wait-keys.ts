import type { ContainerInfo } from './snapshot.ts'

/**
 * What a record waits for, and what news are about: a pid, or a text for a container, a cgroup or a mount namespace.
 */
export type WaitKey = number | string

/** Maximum milliseconds that a record waits for its container; for records of a recording profile. */
export const maxWait = 30_000

/** For all that need not wait. One shared array saves an allocation for each record. */
export const waitsForNothing: readonly WaitKey[] = []

/**
 * Cgroups, mount namespaces and container numbers overlap with pids, so they get prefixes; a container's id is its own
 * key.
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
