import type { DynamicResult, Profile } from '../../src/api/types.ts'
import { generalise } from '../../src/model/generalise/generalise.ts'
import { armorProfileModelOf } from '../../src/model/profile/armor-profile-model.ts'
import { errorListing } from '../policy/listing.ts'
import type { BuiltProfile } from './ports.ts'

/**
 * The profiles that allow what was recorded and nothing else, under the name of the profile that recorded it; names that vary stand for
 * all that look like them. For compilers' threads.
 */
export function buildProfile(
  result: DynamicResult,
  { name, enforcer }: Pick<Profile, 'name' | 'enforcer'>,
): BuiltProfile {
  if (Object.keys(result).length === 0)
    return {
      ok: false,
      problem: 'nothing was recorded: no container ran in the profile meanwhile, or none did anything',
    }
  const made = armorProfileModelOf({ namespace: '', name }, generalise(result).result)
  if (!made.ok) return { ok: false, problem: errorListing(made.errors) }
  return { ok: true, profile: { ...made.value.data.profile!, enforcer } }
}
