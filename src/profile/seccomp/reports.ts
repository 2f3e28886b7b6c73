import type { LinuxSeccomp } from '../../api/types.ts'
import { LOG_FLAG, type SeccompReports } from '../context.ts'
import type { Result } from '../result.ts'

/** The flag that runc and crun set for a profile without flags. A profile with a flag must name this flag too. */
const DEFAULT_FLAG = 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'

/** The name of the left-out part in `skipped`; the missing component follows in parentheses. */
const REPORTS = 'reports of refusals'

/**
 * Adds the flag that makes the kernel log refused calls, if the node's runtimes accept it: other runtimes would not
 * start the container. @param path the field that asks for reports
 * @param reports absent if the profile is not for a certain node
 */
export function withReports(
  compiled: Result<LinuxSeccomp>,
  path: string,
  reports: SeccompReports | undefined,
): Result<LinuxSeccomp> {
  if (!compiled.ok || !refusesSilently(compiled.value) || compiled.value.flags?.includes(LOG_FLAG)) return compiled
  const { value: profile } = compiled
  const left = (rule: string, reason: string): Result<LinuxSeccomp> => ({
    ...compiled,
    skipped: [...compiled.skipped, { enforcer: 'Seccomp', path, rule, reason }],
  })
  const asks = actionsOf(profile).find((action) => action === 'SCMP_ACT_NOTIFY' || action === 'SCMP_ACT_TRACE')
  if (asks !== undefined)
    return left(
      REPORTS,
      `the profile has ${asks}, and the kernel would log each such call together with the refused calls`,
    )
  if (reports === undefined) return compiled
  if (!('flags' in reports)) return left(`${REPORTS} (${reports.by})`, reports.why)
  const own = profile.flags ?? [DEFAULT_FLAG].filter((flag) => reports.flags.includes(flag))
  return { ...compiled, value: { ...profile, flags: [...own, LOG_FLAG] } }
}

const actionsOf = ({ defaultAction, syscalls = [] }: LinuxSeccomp): string[] => [
  defaultAction,
  ...syscalls.map(({ action }) => action),
]

/** The kernel always logs a call that kills its process. */
const refusesSilently = (profile: LinuxSeccomp): boolean =>
  actionsOf(profile).some((action) => action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRAP')
