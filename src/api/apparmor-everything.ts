/**
 * Rules that together allow every operation that AppArmor mediates, except a change of the profile. With ABI 4.0, a
 * profile also needs the rules of `newer` in src/profile/apparmor/base-rules.ts.
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
