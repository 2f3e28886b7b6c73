/** The texts of strerror(3), with which programs report refusals. */
export const messages = {
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  EINVAL: 'Invalid argument',
  ENOMEM: 'Cannot allocate memory',
  ENOSYS: 'Function not implemented',
}
export type Errno = keyof typeof messages
