/**
 * Error codes of a machine that lacks a resource or has a failing device. Such errors are temporary, and records and
 * the decoder do not cause them. ERR_WORKER_INIT_FAILED means that a thread could not start for such a reason.
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
