/**
 * System calls that do the same in another form. The form that a program uses depends on how much it reads or writes
 * at a time, on the C library, and on the architecture. So another run may make other calls than the recorded calls,
 * although it does the same.
 */
export const callFamilies: readonly (readonly string[])[] = [
  ['readv', 'pread64', 'preadv', 'preadv2'],
  ['writev', 'pwrite64', 'pwritev', 'pwritev2'],
  // Not sendto and recvfrom, which pass no descriptors.
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

/** The calls, and all calls of their families. */
export function withFamilies(names: readonly string[]): string[] {
  const known = new Set(names)
  return [...names, ...callFamilies.filter((family) => family.some((name) => known.has(name))).flat()]
}
