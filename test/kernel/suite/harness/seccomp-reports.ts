import { existsSync } from 'node:fs'
import type { CompileOptions } from '../../../../src/profile/compile.ts'
import { LOG_FLAG } from '../../../../src/profile/context.ts'
import { newRunc } from '../../images/names.ts'

/**
 * Tells whether this guest has a runc that accepts flags in seccomp profiles. Debian's runc refuses profiles with
 * flags.
 */
export const reportsRefusals = existsSync(newRunc)

/** How profiles of Seccomp are compiled in this guest. */
export const seccompOptions: CompileOptions = reportsRefusals
  ? { seccompReports: { flags: ['SECCOMP_FILTER_FLAG_SPEC_ALLOW', LOG_FLAG] } }
  : {}

/** Flags of `ctr run` for a container with such a profile. */
export const seccompFlags = (profile: string): string[] => [
  ...(reportsRefusals ? ['--runc-binary', newRunc] : []),
  ...['--seccomp', '--seccomp-profile', profile],
]
