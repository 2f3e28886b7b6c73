import { compilePolicy } from '../../src/profile/compile.ts'
import { compileCarried } from '../../src/profile/profile-source.ts'
import { buildProfile } from '../model/build-profile.ts'
import { desiredProfile } from '../policy/desired-profile.ts'
import { judgePolicy } from './judge.ts'

/**
 * The job functions of compilers. Modules of the main thread import only their type: see
 * `test/manager/main-thread.test.ts`.
 */
export const compilerJobs = { buildProfile, compileCarried, compilePolicy, desiredProfile, judgePolicy }

export type CompilerJobs = typeof compilerJobs
