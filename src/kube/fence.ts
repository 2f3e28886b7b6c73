/** Says whether we may still write. A request with a fence checks it right before its bytes go to the socket. */
export interface Fence {
  /** @throws {FencedError} if we may not write */
  check(): void
  /** Aborted as soon as we may not write, to end running requests. */
  readonly signal: AbortSignal
}

/** We are not the leader, or cannot know: nothing was written, or a running request was given up. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
}
