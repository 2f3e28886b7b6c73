/** What strerror(3) says, by which a program says why it was refused. */
export const messages = {
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  EINVAL: 'Invalid argument',
  ENOMEM: 'Cannot allocate memory',
  ENOSYS: 'Function not implemented',
}
export type Errno = keyof typeof messages
