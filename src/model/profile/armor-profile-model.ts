import type { ArmorProfileModel, DynamicResult } from '../../api/types.ts'
import type { Result } from '../../profile/result.ts'
import type { Explanation } from '../generalise/generalise.ts'
import { profilesOf } from './profiles-of.ts'

/** The workload of the model. */
export interface ModelIdentity {
  namespace: string
  /** The name of the profile, from `profileName()`. The model has the same name. */
  name: string
}

/** The ArmorProfileModel, with a profile for each enforcer that recorded facts. */
export function armorProfileModelOf(
  { namespace, name }: ModelIdentity,
  result: DynamicResult,
  patterns: readonly Explanation[] = [],
): Result<ArmorProfileModel> {
  const enforcer = [result.appArmor && 'AppArmor', result.bpf && 'BPF', result.seccomp && 'Seccomp'].filter(Boolean)
  const made = profilesOf(result, { name, enforcer: enforcer.join('') }, patterns)
  if (!made.ok) return made
  const value: ArmorProfileModel = {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfileModel',
    metadata: { name, namespace },
    storageType: 'CRDInternal',
    data: { dynamicResult: result, profile: made.value },
  }
  return { ok: true, value, skipped: made.skipped }
}
