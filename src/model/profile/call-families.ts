/**
 * System calls that do the same in another form: whichever of them a program makes depends on how much there is to read
 * or write at a time, on the C library, or on the processor it is built for. So another run makes others than were
 * recorded, though it does nothing else.
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

/** The calls with all that do the same. */
export function withFamilies(names: readonly string[]): string[] {
  const known = new Set(names)
  return [...names, ...callFamilies.filter((family) => family.some((name) => known.has(name))).flat()]
}
