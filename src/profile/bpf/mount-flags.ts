import { mountFlagBits } from '../../api/linux-mount-flags.ts'
import type { MountOperationName } from './bpf-profile.ts'

/** The mount flags of raw rules. */
const given: Record<string, number> = {
  ...mountFlagBits,
  rbind: mountFlagBits.bind,
  // A rule covers the recursive and the plain form, because a process could use the other form to evade the rule.
  // Upstream also adds MS_BIND, so its `make-rprivate` refuses every bind mount.
  'make-runbindable': mountFlagBits['make-unbindable'],
  'make-rprivate': mountFlagBits['make-private'],
  'make-rslave': mountFlagBits['make-slave'],
  'make-rshared': mountFlagBits['make-shared'],
}

/** Words for an absent flag. */
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
 * The kernel's file system type: `fuse` for `fuse.sshfs`. The process that mounts may choose any name after the dot,
 * also as an option, so only the part before the dot is compared.
 */
export function kernelTypeOf(fstype: string): string {
  const dot = fstype.indexOf('.')
  return dot > 0 ? fstype.slice(0, dot) : fstype
}

/** All flags. */
export const ALL_MOUNT_FLAGS = 0xffff_ffff

/**
 * The condition of a raw mount rule: the mount has any of the named flags. Unmounting and moving have no other flags,
 * so only the words `umount`, `move` and `all` include them.
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

/** A word in records; mount(2) has no such flag. */
const unmounting = 'umount'

/**
 * The operations and the flags of recorded mounts with the same place and type; or the first unknown word.
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

/** Checks the flags in the same order as path_mount() (fs/namespace.c) and native/bpf/mount.bpf.c. */
export function operationOf(flags: number): MountOperationName {
  if (flags & mountFlagBits.remount) return 'remount'
  if (flags & mountFlagBits.bind) return 'bind'
  if (flags & propagations) return 'propagation'
  return flags & mountFlagBits.move ? 'move' : 'new'
}
