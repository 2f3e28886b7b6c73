/**
 * Families of system calls that do the same in different forms. The amount of data, the C library and the architecture
 * determine which form a program uses. So another run may use calls that were not recorded, although it does the same.
 */
export const callFamilies: readonly (readonly string[])[] = [
  ['readv', 'pread64', 'preadv', 'preadv2'],
  ['writev', 'pwrite64', 'pwritev', 'pwritev2'],
  // Without sendto and recvfrom, because these calls do not pass descriptors.
  ['sendmsg', 'sendmmsg'],
  ['recvmsg', 'recvmmsg'],
  ['accept', 'accept4'],
  ['poll', 'ppoll'],
  ['select', 'pselect6'],
  ['epoll_wait', 'epoll_pwait', 'epoll_pwait2'],
  ['dup', 'dup2', 'dup3'],
  ['fsync', 'fdatasync'],
  ['nanosleep', 'clock_nanosleep'],
]

/** The given calls, and all other calls of their families. */
export function withFamilies(names: readonly string[]): string[] {
  const known = new Set(names)
  return [...names, ...callFamilies.filter((family) => family.some((name) => known.has(name))).flat()]
}
