import type { KernelEnforcer } from '../api/enforcer.ts'
import type { CompiledPolicy } from '../profile/compile.ts'
import { appArmorJudge } from './apparmor/apparmor-judge.ts'
import { bpfJudge } from './bpf-judge.ts'
import type { Decision, Operation } from './operation.ts'
import { seccompJudge } from './seccomp-judge.ts'

/** The decisions of one enforcer under a policy. */
export interface EnforcerJudge {
  enforcer: KernelEnforcer
  /** @param program the executable of the process, if known: AppArmor may have rules for this program alone */
  judge(operation: Operation, program?: string): Decision
  /** Paths of programs for which the profile has separate rules. */
  programs: readonly string[]
}

/** A judge for each enforcer of the policy. */
export function judgesOf({ enforcers }: Pick<CompiledPolicy, 'enforcers'>): EnforcerJudge[] {
  const judges: EnforcerJudge[] = []
  if (enforcers.AppArmor !== undefined)
    judges.push({ enforcer: 'AppArmor', ...appArmorJudge(enforcers.AppArmor.profile) })
  if (enforcers.BPF !== undefined)
    judges.push({ enforcer: 'BPF', judge: bpfJudge(enforcers.BPF.profile), programs: [] })
  if (enforcers.Seccomp !== undefined)
    judges.push({ enforcer: 'Seccomp', judge: seccompJudge(enforcers.Seccomp.profile), programs: [] })
  return judges
}
