import type { KernelEnforcer } from '../../api/enforcer.ts'
import { emptyProfile } from '../../profile/bpf/encode.ts'
import type { CompiledPolicy } from '../../profile/compile.ts'
import { compareAppArmor } from './compare-apparmor.ts'
import { compareBpf } from './compare-bpf.ts'
import { compareSeccomp } from './compare-seccomp.ts'
import { type Compared, Differences } from './difference.ts'

export const comparedEnforcers: readonly KernelEnforcer[] = ['AppArmor', 'BPF', 'Seccomp']

/** Profiles that refuse and report nothing, for enforcers that a policy does not name. */
const noAppArmor =
  'abi <abi/3.0>,\nprofile none {\nfile,\ncapability,\nnetwork,\nmount,\nremount,\numount,\npivot_root,\nptrace,\nsignal,\ndbus,\nunix,\n}\n'
const noSeccomp = { defaultAction: 'SCMP_ACT_ALLOW' } as const

type Loaded = Pick<CompiledPolicy, 'enforcers'>

/**
 * Finds the operations that the kernel would decide differently under the new policy. If `incomplete` is empty, these
 * are all such operations; a search that reaches its bound is listed in `incomplete`.
 */
export function comparePolicies(before: Loaded, after: Loaded): Compared {
  const found = new Differences()
  const [old, made] = [before.enforcers, after.enforcers]
  if (old.AppArmor !== undefined || made.AppArmor !== undefined)
    compareAppArmor(old.AppArmor?.profile ?? noAppArmor, made.AppArmor?.profile ?? noAppArmor, found)
  if (old.BPF !== undefined || made.BPF !== undefined)
    compareBpf(old.BPF?.profile ?? emptyProfile, made.BPF?.profile ?? emptyProfile, found)
  if (old.Seccomp !== undefined || made.Seccomp !== undefined)
    compareSeccomp(old.Seccomp?.profile ?? noSeccomp, made.Seccomp?.profile ?? noSeccomp, found)
  return found.all
}
