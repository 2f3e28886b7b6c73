import type { LinuxSeccomp, LinuxSyscall } from '../../../src/api/types.ts'
import { holds, readComparison } from '../../../src/profile/seccomp/comparison.ts'

/**
 * The outcome of one call, as the OCI runtime specification defines it: all arguments of an entry must match.
 * @throws if two entries with different outcomes match, because the specification does not say which entry wins
 */
export function outcomeOf(profile: LinuxSeccomp, name: string, args: readonly bigint[] = []): string {
  const outcomes = new Set(matching(profile, name, args).map((entry) => outcome(entry.action, entry.errnoRet)))
  if (outcomes.size > 1) throw new Error(`${name}(${args.join()}) is ${[...outcomes].join(' and ')}`)
  return [...outcomes][0] ?? outcome(profile.defaultAction, profile.defaultErrnoRet)
}

function matching(profile: LinuxSeccomp, name: string, args: readonly bigint[]): LinuxSyscall[] {
  return (profile.syscalls ?? []).filter(
    (entry) =>
      entry.names.includes(name) &&
      (entry.args ?? []).every((arg) => {
        const comparison = readComparison(arg)
        return comparison !== 'never' && holds(comparison, args[arg.index] ?? 0n)
      }),
  )
}

function outcome(action: string, errno = 1): string {
  return action === 'SCMP_ACT_ERRNO' ? `ERRNO ${errno}` : action.replace('SCMP_ACT_', '')
}
