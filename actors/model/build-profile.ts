import { formatFieldError } from '../../src/api/field-error.ts'
import type { DynamicResult, Profile } from '../../src/api/types.ts'
import { generalise } from '../../src/model/generalise/generalise.ts'
import { profilesOf } from '../../src/model/profile/profiles-of.ts'
import type { BuiltProfile } from './ports.ts'

/**
 * Builds the profiles that allow only the recorded behaviour, under the name of the recording profile, and the recorded
 * data with patterns for names that vary. Runs on compilers' threads.
 * @param patterns false: keep names as they are
 */
export function buildProfile(
  recorded: DynamicResult,
  profile: Pick<Profile, 'name' | 'enforcer'>,
  patterns = true,
): BuiltProfile {
  if (Object.keys(recorded).length === 0)
    return {
      ok: false,
      problem:
        'nothing was recorded: no container ran with the profile during the recording, or its containers did nothing',
    }
  const { result, patterns: explanations } = patterns ? generalise(recorded) : { result: recorded, patterns: [] }
  const made = profilesOf(result, profile, explanations)
  if (!made.ok) return { ok: false, problem: made.errors.map(formatFieldError).join('; ') }
  return { ok: true, profile: made.value, result }
}
