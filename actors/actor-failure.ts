import type { Failure } from './runtime/index.ts'

/** A failure of an actor, for the status of its policy. It is sent to the policy's actor in a message. */
export interface ActorFailure {
  family: string
  key: string
  /** The thrown error in one line. The log has the stack. */
  error: string
  /** Consecutive failures, including this one. */
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
