/** Rules that together allow all that AppArmor judges, but for leaving the profile; of ABI 4.0 there are more (`newer`). */
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
