import type { FieldError } from '../../src/api/field-error.ts'
import type { CompilerJobs } from './jobs.ts'

/** Why a job did not run. */
export type CompilerErrorCode =
  /** The job took more time or memory than allowed, now or a few minutes ago. Do not retry soon. */
  | 'TOO_COSTLY'
  /** The job did not get a thread in time. The caller may retry. */
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

/** Message for each code; `seconds` is the time that a job may take. */
export const compilerMessages: Record<CompilerErrorCode | 'STARTING', (seconds: number) => string> = {
  TOO_COSTLY: (seconds) =>
    `this is TOO_COSTLY: it takes more than ${seconds} s or too much memory to compile; use fewer or simpler rules, or split the policy. The same policy is not compiled again for ten minutes`,
  BUSY: () =>
    'the compilers are busy, for example with other policies of this namespace, or have too little CPU; try again in a few seconds (agents retry automatically)',
  STARTING: () =>
    'the compilers are still starting, because this machine has too little CPU; try again in a few seconds',
  STOPPED: () => 'this manager is stopping',
}

/** The owner and the limits of a job. */
export interface JobOptions {
  /**
   * The owner of the input, such as a namespace; empty if the input has no owner. A costly tenant delays only its own
   * jobs.
   */
  tenant: string
  /** The address of the caller. A caller cannot forge it, but may name any tenant. Default: this process. */
  peer?: string
  /** Aborted when the caller gives up. A waiting job is then dropped as BUSY. */
  signal?: AbortSignal | undefined
  /**
   * A caller waits for the answer, for example at admission: the job runs before jobs that are not urgent, and may wait
   * less long.
   */
  urgent: boolean
  /** The part of the input that decides the cost, such as a spec. The pool keeps digests of costly subjects. */
  subject: unknown
  /** Factor by which this job may take longer than other jobs. Default 1. */
  times?: number
}

/**
 * Compilers of the manager and the agent. They run on worker threads, except cheap jobs, which run on the calling
 * thread. No input blocks a thread for long.
 */
export interface Compilers {
  /**
   * Runs a job of `jobs.ts`. Input and output are not always cloned, so do not change them.
   * @throws {CompilerError} (as a rejection); any other error is a bug
   */
  run<Name extends keyof CompilerJobs>(
    job: Name,
    input: Parameters<CompilerJobs[Name]>,
    options: JobOptions,
  ): Promise<ReturnType<CompilerJobs[Name]>>
}

/** The field error of a too costly policy; its message names the allowed time. */
export const tooCostly = ({ message }: CompilerError): FieldError => ({
  code: 'TOO_COSTLY',
  path: 'spec.policy',
  problem: message,
})
