/**
 * Rules that together allow all that AppArmor judges, except leaving the profile. ABI 4.0 needs more rules (`newer`).
 */
export const everythingForAppArmor: readonly string[] = [
  'file,',
  'capability,',
  'network,',
  'mount,',
  'remount,',
  'umount,',
  'pivot_root,',
  'ptrace,',
  'signal,',
  'dbus,',
  'unix,',
]
