import type { FieldError } from '../../api/field-error.ts'
import type { ArmorProfileModel, DynamicResult } from '../../api/types.ts'
import type { Result, Skipped } from '../../profile/result.ts'
import { appArmorProfileOf } from './apparmor-profile.ts'
import { seccompProfileOf } from './seccomp-profile.ts'

/** Of which workload the model is. */
export interface ModelIdentity {
  namespace: string
  /** Of the profile, from `profileName()`, and so of the model. */
  name: string
}

/** The object of a model with the profiles that are made of it: of each enforcer that recorded something. */
export function armorProfileModelOf(
  { namespace, name }: ModelIdentity,
  result: DynamicResult,
): Result<ArmorProfileModel> {
  const skipped: Skipped[] = []
  const errors: FieldError[] = []
  const take = (made: Result<string>): string | undefined => {
    if (made.ok) skipped.push(...made.skipped)
    else errors.push(...made.errors)
    return made.ok ? made.value : undefined
  }
  const appArmor = result.appArmor === undefined ? undefined : take(appArmorProfileOf(result, name))
  const seccomp = result.seccomp === undefined ? undefined : take(seccompProfileOf(result))
  if (errors.length > 0) return { ok: false, errors }
  const enforcer = [result.appArmor && 'AppArmor', result.bpf && 'BPF', result.seccomp && 'Seccomp']
    .filter(Boolean)
    .join('')
  const profile = {
    name,
    enforcer,
    mode: 'enforce' as const,
    ...(appArmor !== undefined && { appArmor }),
    ...(seccomp !== undefined && { seccomp }),
  }
  const value: ArmorProfileModel = {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfileModel',
    metadata: { name, namespace },
    storageType: 'CRDInternal',
    data: { dynamicResult: result, profile },
  }
  return { ok: true, value, skipped }
}
