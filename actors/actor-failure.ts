import type { Failure } from './runtime/index.ts'

/** A failure of an actor, as the status of its policy names it. It goes to the policy's actor as part of a message. */
export interface ActorFailure {
  family: string
  key: string
  /** What was thrown, in one line. The log has the stack. */
  error: string
  /** Failures in a row, with this one. */
  failures: number
  /** Milliseconds until the actor starts again. */
  retryIn: number
}

export const actorFailureOf = ({ family, key, error, failures, retryIn = 0 }: Failure): ActorFailure => ({
  family,
  key,
  error: String(error).replace(/\s+/g, ' '),
  failures,
  retryIn,
})
