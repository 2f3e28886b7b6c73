/**
 * Why an enforcer could not do what it was asked for, once each; the code is API, the message may change. `retryable`: the
 * same call may succeed later, because what is wrong is the node's state and not the profile.
 */
export const enforcerErrorCodes = {
  FEATURE_ABSENT: { retryable: false, meaning: 'this node cannot enforce it: the kernel or a program is missing' },
  BAD_NAME: { retryable: false, meaning: 'the profile has a name that is not one of ours' },
  BAD_CONTENT: { retryable: false, meaning: 'the content is no profile of this kind' },
  PROFILE_REJECTED: { retryable: false, meaning: 'the compiler refuses the profile; the one before stays in force' },
  TOO_COSTLY: {
    retryable: false,
    meaning: 'compiling takes more time or memory than a profile gets; the one before stays',
  },
  KERNEL_REFUSED: { retryable: true, meaning: 'the kernel does not take a profile that was compiled' },
  PARSER_FAILED: { retryable: true, meaning: 'the compiler could not be run to its end' },
  IN_THE_WAY: { retryable: true, meaning: 'what stands in the place of the file is no regular file; it is left alone' },
  IN_USE: { retryable: true, meaning: 'something has come to need the profile while it waited to go; it stays' },
  IO: { retryable: true, meaning: 'a system call on the file failed' },
} as const

export type EnforcerErrorCode = keyof typeof enforcerErrorCodes

export type EnforcerErrorContext = Readonly<Record<string, string | number>>

/** Thrown by every ProfileLoader. The message is the step that failed; values are in the context. */
export class EnforcerError extends Error {
  override readonly name = 'EnforcerError'
  readonly code: EnforcerErrorCode
  readonly context: EnforcerErrorContext

  constructor(code: EnforcerErrorCode, step: string, context: EnforcerErrorContext = {}, options?: ErrorOptions) {
    super(step, options)
    this.code = code
    this.context = context
  }

  get retryable(): boolean {
    return enforcerErrorCodes[this.code].retryable
  }

  /** The node lacks the enforcer, whatever the profile. */
  get absent(): boolean {
    return this.code === 'FEATURE_ABSENT'
  }

  /** One line for the status of a policy: what failed, why, and where. */
  get reason(): string {
    const values = Object.entries(this.context).map(([key, value]) => `${key} ${value}`)
    const why = this.context['reason'] ?? enforcerErrorCodes[this.code].meaning
    if (this.absent) return `${why}`
    const rest = values.filter((value) => !value.startsWith('reason '))
    return `${this.message}: ${why}${rest.length === 0 ? '' : ` (${rest.join(', ')})`}`
  }
}

/** A failed system call as an EnforcerError; anything else is a bug and is thrown as it is. */
export function ioError(step: string, path: string, error: unknown): EnforcerError {
  if (error instanceof EnforcerError) return error
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined) throw error
  return new EnforcerError('IO', step, { path, errno: code, reason: message }, { cause: error })
}

export const errnoOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
