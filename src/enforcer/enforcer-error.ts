/**
 * Why an enforcer could not do a step. The code is API; the message may change. `retryable`: the same call may succeed
 * later, because the node's state is the cause, not the profile.
 */
export const enforcerErrorCodes = {
  FEATURE_ABSENT: {
    retryable: false,
    meaning: 'this node cannot enforce the profile: it lacks a kernel feature or a program',
  },
  BAD_NAME: { retryable: false, meaning: 'the name of the profile is not a name of vArmor' },
  BAD_CONTENT: { retryable: false, meaning: 'the content is not a profile of this kind' },
  PROFILE_REJECTED: {
    retryable: false,
    meaning: 'the compiler refuses the profile; the previous version stays in force',
  },
  TOO_COSTLY: {
    retryable: false,
    meaning: 'compiling exceeds the time or memory limit of a profile; the previous version stays in force',
  },
  KERNEL_REFUSED: { retryable: true, meaning: 'the kernel refuses the compiled profile' },
  PARSER_FAILED: { retryable: true, meaning: 'the compiler could not run to its end' },
  IN_THE_WAY: { retryable: true, meaning: 'the path of the profile is not a regular file; it is left alone' },
  IN_USE: { retryable: true, meaning: 'a pod or process needs the profile again before its removal; it stays loaded' },
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

  /** Whether the node lacks the enforcer, for any profile. */
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
