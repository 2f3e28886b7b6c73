import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'

/** Rules that some case of the loaded test files is about, by enforcer; a case that cannot run says why by its name. */
export const rulesShown = { AppArmor: new Set<string>(), Seccomp: new Set<string>() } satisfies Partial<
  Record<KernelEnforcer, Set<string>>
>
