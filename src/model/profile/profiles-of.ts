import type { FieldError } from '../../api/field-error.ts'
import type { DynamicResult, Profile } from '../../api/types.ts'
import type { Result, Skipped } from '../../profile/result.ts'
import type { Explanation } from '../generalise/generalise.ts'
import { appArmorProfileOf } from './apparmor-profile.ts'
import { seccompProfileOf } from './seccomp-profile.ts'

/**
 * The AppArmor and Seccomp profiles of a model, if these enforcers recorded facts. BPF enforces the facts directly.
 * @param patterns explanations of the model's patterns, for comments in the profile
 */
export function profilesOf(
  result: DynamicResult,
  { name, enforcer }: Pick<Profile, 'name' | 'enforcer'>,
  patterns: readonly Explanation[] = [],
): Result<Profile> {
  const skipped: Skipped[] = []
  const errors: FieldError[] = []
  const take = (made: Result<string>): string | undefined => {
    if (made.ok) skipped.push(...made.skipped)
    else errors.push(...made.errors)
    return made.ok ? made.value : undefined
  }
  const appArmor = result.appArmor === undefined ? undefined : take(appArmorProfileOf(result, name, patterns))
  const seccomp = result.seccomp === undefined ? undefined : take(seccompProfileOf(result))
  if (errors.length > 0) return { ok: false, errors }
  const value: Profile = {
    name,
    enforcer,
    mode: 'enforce',
    ...(appArmor !== undefined && { appArmor }),
    ...(seccomp !== undefined && { seccomp }),
  }
  return { ok: true, value, skipped }
}
