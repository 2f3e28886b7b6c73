import type { FieldError } from '../../src/api/field-error.ts'
import type { CompilerJobs } from './jobs.ts'

/** Why a job did not run. */
export type CompilerErrorCode =
  /** It took more time or memory than allowed, now or minutes ago. Do not retry soon. */
  | 'TOO_COSTLY'
  /** It did not get a thread in time. The caller may retry. */
  | 'BUSY'
  | 'STOPPED'

export class CompilerError extends Error {
  override readonly name = 'CompilerError'
  readonly code: CompilerErrorCode

  constructor(code: CompilerErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Message for each code, given the seconds that a job may take. */
export const compilerMessages: Record<CompilerErrorCode | 'STARTING', (seconds: number) => string> = {
  TOO_COSTLY: (seconds) =>
    `this is TOO_COSTLY: it takes more than ${seconds} s or too much memory to compile; use fewer or simpler rules, or split the policy. The same policy is not compiled again for ten minutes`,
  BUSY: () =>
    'the compilers are busy, for example with other policies of this namespace, or have too little CPU; try again in a few seconds (agents retry automatically)',
  STARTING: () =>
    'the compilers are still starting, because this machine has too little CPU; try again in a few seconds',
  STOPPED: () => 'this manager is stopping',
}

/** The owner of a job, and what it may cost. */
export interface JobOptions {
  /**
   * The owner of the input, such as a namespace; empty where there is none. A costly tenant delays only its own jobs.
   */
  tenant: string
  /** The address of the caller, which it cannot forge, while it may name any tenant. Default: this process. */
  peer?: string
  /** Aborted when the caller gives up. A job that still waits is then dropped as BUSY. */
  signal?: AbortSignal | undefined
  /** A caller waits for the answer, as at admission: the job comes before others, and its wait has a shorter limit. */
  urgent: boolean
  /** The part of the input that decides the cost, such as a spec. The pool keeps digests of costly subjects. */
  subject: unknown
  /** Factor by which the job may take longer than others. Default 1. */
  times?: number
}

/**
 * Compilers of the manager and the agent: they run on worker threads; cheap jobs run on the calling thread. No input
 * blocks either for long.
 */
export interface Compilers {
  /**
   * Runs a job of `jobs.ts`. Input and output are not always cloned, so do not change them.
   * @throws {CompilerError} (as rejection); any other error is a bug
   */
  run<Name extends keyof CompilerJobs>(
    job: Name,
    input: Parameters<CompilerJobs[Name]>,
    options: JobOptions,
  ): Promise<ReturnType<CompilerJobs[Name]>>
}

/** The field error of a too costly policy; its message names the time that was allowed. */
export const tooCostly = ({ message }: CompilerError): FieldError => ({
  code: 'TOO_COSTLY',
  path: 'spec.policy',
  problem: message,
})
