/** Says whether we may still write. A request with a fence asks it last thing before its bytes go to the socket. */
export interface Fence {
  /** @throws {FencedError} when we may not, or no longer */
  check(): void
  /** Aborted as soon as we may not, so that requests under way end there. */
  readonly signal: AbortSignal
}

/** We are not the leader, or no longer, or cannot know: nothing was written, or what was under way was given up. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
}
