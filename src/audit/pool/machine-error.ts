/**
 * Codes of errors of a machine that lacks a resource or has a failing device. Such an error is temporary, and neither
 * records nor the decoder cause it. ERR_WORKER_INIT_FAILED: a thread did not start for such a reason.
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

/** The code of a machine error; undefined for all other errors, such as bugs. */
export function machineErrorOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && machineErrors.has(code) ? code : undefined
}
