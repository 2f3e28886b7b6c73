/**
 * Rules that together allow every operation that AppArmor mediates, except a change of the profile. ABI 4.0 needs the
 * additional rules in `newer`.
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
