/** Mount flags with their bits (include/uapi/linux/mount.h), by the names of mount(8). */
export const mountFlagBits = {
  ro: 1 << 0,
  nosuid: 1 << 1,
  nodev: 1 << 2,
  noexec: 1 << 3,
  sync: 1 << 4,
  remount: 1 << 5,
  mand: 1 << 6,
  dirsync: 1 << 7,
  nosymfollow: 1 << 8,
  noatime: 1 << 10,
  nodiratime: 1 << 11,
  bind: 1 << 12,
  move: 1 << 13,
  /**
   * mount(8) has no name for this flag: `bind` with this flag is `rbind`, and a propagation type such as `make-slave`
   * with this flag is `make-rslave`.
   */
  rec: 1 << 14,
  silent: 1 << 15,
  'make-unbindable': 1 << 17,
  'make-private': 1 << 18,
  'make-slave': 1 << 19,
  'make-shared': 1 << 20,
  relatime: 1 << 21,
  iversion: 1 << 23,
  strictatime: 1 << 24,
} as const
