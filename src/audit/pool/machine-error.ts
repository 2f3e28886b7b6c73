/**
 * Errors of a machine that is short of something, or whose devices fail, by their codes: no fault of the records or of the decoder,
 * and over after a while. ERR_WORKER_INIT_FAILED: a thread did not start for want of the same.
 */
const machineErrors: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EIO',
  'EAGAIN',
  'EINTR',
  'ERR_WORKER_INIT_FAILED',
])

/** The code of an error of the machine; undefined for everything else, such as bugs. */
export function machineErrorOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && machineErrors.has(code) ? code : undefined
}
