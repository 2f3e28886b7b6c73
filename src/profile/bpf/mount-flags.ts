import { mountFlagBits } from '../../api/linux-mount-flags.ts'
import type { MountOperationName } from './bpf-profile.ts'

/** The mount flags that raw rules take. */
const given: Record<string, number> = {
  ...mountFlagBits,
  rbind: mountFlagBits.bind,
  // Recursive or not is one flag beside (MS_REC). Upstream adds it and MS_BIND to each of these, and so refuses every
  // bind mount for `make-rprivate`; here a rule means what it says, and both forms, as each is a way round the other.
  'make-runbindable': mountFlagBits['make-unbindable'],
  'make-rprivate': mountFlagBits['make-private'],
  'make-rslave': mountFlagBits['make-slave'],
  'make-rshared': mountFlagBits['make-shared'],
}

/** Words for a flag that is not given. */
const notGiven: Record<string, number> = {
  rw: mountFlagBits.ro,
  suid: mountFlagBits.nosuid,
  dev: mountFlagBits.nodev,
  exec: mountFlagBits.noexec,
  async: mountFlagBits.sync,
  nomand: mountFlagBits.mand,
  atime: mountFlagBits.noatime,
  diratime: mountFlagBits.nodiratime,
  loud: mountFlagBits.silent,
  norelatime: mountFlagBits.relatime,
  noiversion: mountFlagBits.iversion,
  nostrictatime: mountFlagBits.strictatime,
}

/**
 * The type of a file system by which the kernel finds it: `fuse` for `fuse.sshfs`. What stands behind the dot is a name
 * that the one who mounts chooses, and which an option gives as well.
 */
export function kernelTypeOf(fstype: string): string {
  const dot = fstype.indexOf('.')
  return dot > 0 ? fstype.slice(0, dot) : fstype
}

/** All flags. */
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

/** umount(2) has no flag that mount(2) knows; records have a word for it. */
const unmounting = 'umount'

/**
 * What records say of the mounts of one place and type, as operations and all flags that they had; or the word that is
 * no flag.
 */
export function flagsOfMounts(
  names: readonly string[],
  isNew: boolean,
): { operations: MountOperationName[]; flags: number } | string {
  let flags = 0
  const operations = new Set<MountOperationName>(isNew ? ['new'] : [])
  for (const name of names) {
    if (name === unmounting) {
      operations.add('umount')
      continue
    }
    const bit = given[name]
    if (bit === undefined) return name
    flags |= bit | (recursive.test(name) ? mountFlagBits.rec : 0)
    const operation = operationOf(bit)
    if (operation !== 'new') operations.add(operation)
  }
  return { operations: [...operations], flags: flags >>> 0 }
}

const recursive = /^(?:rbind$|make-r)/

const propagations =
  mountFlagBits['make-unbindable'] |
  mountFlagBits['make-private'] |
  mountFlagBits['make-slave'] |
  mountFlagBits['make-shared']

/** In the order in which path_mount() looks (fs/namespace.c), and native/bpf/mount.bpf.c. */
export function operationOf(flags: number): MountOperationName {
  if (flags & mountFlagBits.remount) return 'remount'
  if (flags & mountFlagBits.bind) return 'bind'
  if (flags & propagations) return 'propagation'
  return flags & mountFlagBits.move ? 'move' : 'new'
}
