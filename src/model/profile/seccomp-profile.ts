import { isSyscall } from '../../api/linux-syscalls.ts'
import type { DynamicResult } from '../../api/types.ts'
import type { Result, Skipped } from '../../profile/result.ts'
import { ownProfile } from '../../profile/seccomp/own-profile.ts'
import { withFamilies } from './call-families.ts'
import { seccompNeeds } from './runtime-needs.ts'

const path = 'data.dynamicResult.seccomp'

/**
 * The OCI profile that allows the system calls of the model, their other forms, and those that the runtime needs, and
 * refuses all others. A name that is no system call is left out and named.
 */
export function seccompProfileOf({ seccomp }: DynamicResult): Result<string> {
  const recorded = seccomp?.syscalls ?? []
  if (recorded.length === 0) {
    const problem = 'has no system calls: record the workload with the enforcer Seccomp'
    return { ok: false, errors: [{ code: 'REQUIRED', path: `${path}.syscalls`, problem }] }
  }
  const known = new Set(recorded.filter(isSyscall))
  const skipped = recorded
    .filter((name) => !known.has(name))
    .map((rule): Skipped => ({ enforcer: 'Seccomp', path: `${path}.syscalls`, rule, reason: 'is no system call' }))
  const names = [...new Set(withFamilies([...known, ...seccompNeeds.flatMap(({ allows }) => allows)]))].sort()
  const rules = names.map((name) => ({ name, action: 'SCMP_ACT_ALLOW' as const, when: [] }))
  return { ok: true, value: `${JSON.stringify(ownProfile('SCMP_ACT_ERRNO', rules))}\n`, skipped }
}
