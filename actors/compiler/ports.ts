import type { FieldError } from '../../src/api/field-error.ts'
import type { CompilerJobs } from './jobs.ts'

/** Why a job was not done. */
export type CompilerErrorCode =
  /** It took longer than a job may, or more memory, now or minutes ago: asking again soon is of no use. */
  | 'TOO_COSTLY'
  /** Its turn did not come in time: the same may be asked again. */
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

/** What is said of each, by the seconds that a job may take. */
export const compilerMessages: Record<CompilerErrorCode | 'STARTING', (seconds: number) => string> = {
  TOO_COSTLY: (seconds) =>
    `this is TOO_COSTLY: it takes more than ${seconds} s, or too much memory, to compile; make it smaller with fewer or plainer rules, or divide it into several policies. The same is tried again after ten minutes at the earliest`,
  BUSY: () =>
    'the compilers have too much to do, as for other policies of this namespace, or too little CPU; try again in some seconds, as agents do by themselves',
  STARTING: () =>
    'the compilers are still being started, for which this machine has too little CPU; try again in some seconds',
  STOPPED: () => 'this manager is being stopped',
}

/** Who waits for a job, and for what it may cost. */
export interface JobOptions {
  /** Whose input it is, such as a namespace; empty for what has none. One that costs much takes turns from itself alone. */
  tenant: string
  /** Where it comes from: an address that nobody can make up, as whoever asks may name any tenant. Default: from this process. */
  peer?: string
  /** Who asked has given up, or was given up: then what still waits is not done, and is BUSY. */
  signal?: AbortSignal | undefined
  /** Somebody stands and waits, as at admission: it comes before what nobody waits for, and is not waited for as long. */
  urgent: boolean
  /** What makes the job as costly as it is, such as a spec. Of what was too costly a digest is remembered. */
  subject: unknown
  /** So many times as long as another job may it take. Default 1. */
  times?: number
}

/**
 * Compilers, for the manager and for the agent: on worker threads, and for what costs little on the thread that asks. No input holds that
 * for long, nor the threads that compile.
 */
export interface Compilers {
  /** Does a job of `jobs.ts`. Input and output may be cloned or not: nobody changes them. @throws {CompilerError} (as rejection); anything else is a bug */
  run<Name extends keyof CompilerJobs>(
    job: Name,
    input: Parameters<CompilerJobs[Name]>,
    options: JobOptions,
  ): Promise<ReturnType<CompilerJobs[Name]>>
}

/** What is wrong with a policy that was too costly; what is said of it names the time that it had. */
export const tooCostly = ({ message }: CompilerError): FieldError => ({
  code: 'TOO_COSTLY',
  path: 'spec.policy',
  problem: message,
})
