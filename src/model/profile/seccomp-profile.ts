import { isSyscall } from '../../api/linux-syscalls.ts'
import type { DynamicResult } from '../../api/types.ts'
import type { Result, Skipped } from '../../profile/result.ts'
import { ownProfile } from '../../profile/seccomp/own-profile.ts'
import { withFamilies } from './call-families.ts'
import { seccompNeeds } from './runtime-needs.ts'

const path = 'data.dynamicResult.seccomp'

/**
 * The OCI profile that allows only the system calls of the model, other forms of these calls, and calls that the
 * runtime needs. Names that are not system calls are left out and named.
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
    .map((rule): Skipped => ({ enforcer: 'Seccomp', path: `${path}.syscalls`, rule, reason: 'is not a system call' }))
  const names = [...new Set(withFamilies([...known, ...seccompNeeds.flatMap(({ allows }) => allows)]))].sort()
  const rules = names.map((name) => ({ name, action: 'SCMP_ACT_ALLOW' as const, when: [] }))
  return { ok: true, value: `${JSON.stringify(ownProfile('SCMP_ACT_ERRNO', rules))}\n`, skipped }
}
