/**
 * Decides whether we may still write. A request with a fence checks it just before the request is written to the
 * socket.
 */
export interface Fence {
  /** @throws {FencedError} if we may not write */
  check(): void
  /** Aborted as soon as we may no longer write, to abort running requests. */
  readonly signal: AbortSignal
}

/** We are not the leader, or do not know whether we are. The request was not sent, or was aborted. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
}
