import type { LinuxSeccomp, LinuxSyscall } from '../api/types.ts'
import { type Comparison, holds, readComparison } from '../profile/seccomp/comparison.ts'
import { type Action, isRefusing } from '../profile/seccomp/vocabulary.ts'
import { allowed, audited, type Decision, type Judge, unknown } from './operation.ts'

/** The action of a profile for one call, if the arguments of the call meet these comparisons. */
export interface SeccompRule {
  when: readonly Comparison[]
  action: Action
  errno: number
}

/** The rules of a profile by call. Their order does not matter to libseccomp. */
export class SeccompRules {
  readonly standard: SeccompRule
  readonly byName = new Map<string, SeccompRule[]>()

  constructor({ defaultAction, defaultErrnoRet = EPERM, syscalls = [] }: LinuxSeccomp) {
    this.standard = { when: [], action: defaultAction, errno: defaultErrnoRet }
    for (const entry of syscalls) for (const name of entry.names) this.#add(name, entry)
  }

  #add(name: string, { args = [], action, errnoRet: errno = EPERM }: LinuxSyscall): void {
    const when = args.map(readComparison).filter((one) => one !== 'never')
    // A rule with a comparison that no value meets never applies.
    if (when.length < args.length) return
    const rules = this.byName.get(name)
    if (rules === undefined) this.byName.set(name, [{ when, action, errno }])
    else rules.push({ when, action, errno })
  }

  /** The rule that applies to a call with these arguments. */
  of(name: string, args: readonly bigint[]): SeccompRule {
    const rules = this.byName.get(name) ?? []
    return rules.find(({ when }) => when.every((one) => holds(one, args[one.index] ?? 0n))) ?? this.standard
  }
}

const EPERM = 1

/**
 * Decides as the filter that a runtime makes from the profile: by the call's name and arguments. The default action
 * applies if no rule matches.
 */
export function seccompJudge(profile: LinuxSeccomp): Judge {
  const rules = new SeccompRules(profile)
  return (operation) => {
    if (operation.kind !== 'syscall') return allowed
    const { name, args } = operation
    if (args !== undefined) return decisionOf(rules.of(name, args))
    return withoutArguments(rules, name)
  }
}

export function decisionOf({ action, errno }: Pick<SeccompRule, 'action' | 'errno'>): Decision {
  if (isRefusing(action)) return { outcome: 'denied', ...(errno !== EPERM && action === 'SCMP_ACT_ERRNO' && { errno }) }
  return action === 'SCMP_ACT_LOG' ? audited : allowed
}

/** The decision for a call whose arguments were not recorded: unknown if the decision depends on the arguments. */
function withoutArguments({ byName, standard }: SeccompRules, name: string): Decision {
  const rules = byName.get(name) ?? []
  const whole = rules.find(({ when }) => when.length === 0) ?? standard
  const decisions = [whole, ...rules].map(decisionOf)
  const same = decisions.every(({ outcome }) => outcome === decisions[0]!.outcome)
  return same ? decisions[0]! : unknown('refused only with certain arguments, and the arguments were not recorded')
}
