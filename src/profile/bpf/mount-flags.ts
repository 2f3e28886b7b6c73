import type { MountOperationName } from './bpf-profile.ts'

// Flags of mount(2) (include/uapi/linux/mount.h) under the names of the mount flags that raw rules take.

const given: Record<string, number> = {
  ro: 1 << 0,
  nosuid: 1 << 1,
  nodev: 1 << 2,
  noexec: 1 << 3,
  sync: 1 << 4,
  remount: 1 << 5,
  mand: 1 << 6,
  dirsync: 1 << 7,
  noatime: 1 << 10,
  nodiratime: 1 << 11,
  bind: 1 << 12,
  rbind: 1 << 12,
  move: 1 << 13,
  silent: 1 << 15,
  'make-unbindable': 1 << 17,
  'make-private': 1 << 18,
  'make-slave': 1 << 19,
  'make-shared': 1 << 20,
  // Recursive or not is one flag beside (MS_REC). Upstream adds it and MS_BIND to each of these, and so refuses every
  // bind mount for `make-rprivate`; here a rule means what it says, and both forms, as each is a way round the other.
  'make-runbindable': 1 << 17,
  'make-rprivate': 1 << 18,
  'make-rslave': 1 << 19,
  'make-rshared': 1 << 20,
  relatime: 1 << 21,
  iversion: 1 << 23,
  strictatime: 1 << 24,
}

/** Words for a flag that is not given. */
const notGiven: Record<string, number> = {
  rw: given['ro']!,
  suid: given['nosuid']!,
  dev: given['nodev']!,
  exec: given['noexec']!,
  async: given['sync']!,
  nomand: given['mand']!,
  atime: given['noatime']!,
  diratime: given['nodiratime']!,
  loud: given['silent']!,
  norelatime: given['relatime']!,
  noiversion: given['iversion']!,
  nostrictatime: given['strictatime']!,
}

/** Whatever the flags are. */
export const ALL_MOUNT_FLAGS = 0xffff_ffff

/**
 * The condition of a raw mount rule: any of the named flags. Unmounting and moving have no flags besides themselves, so
 * only `umount`, `move` and `all` mean them.
 */
export function mountCondition(names: readonly string[]): {
  operations: MountOperationName[]
  set: number
  clear: number
} {
  const all = names.includes('all')
  const set = all ? ALL_MOUNT_FLAGS : names.reduce((mask, name) => mask | (given[name] ?? 0), 0)
  const clear = all ? ALL_MOUNT_FLAGS : names.reduce((mask, name) => mask | (notGiven[name] ?? 0), 0)
  const operations: MountOperationName[] = []
  if (set !== 0 || clear !== 0) operations.push('new', 'bind', 'remount', 'propagation')
  if (all || names.includes('move')) operations.push('move')
  if (all || names.includes('umount')) operations.push('umount')
  return { operations, set, clear }
}
