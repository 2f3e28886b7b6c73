import type { LinuxSeccomp } from '../../api/types.ts'
import { LOG_FLAG, type SeccompReports } from '../context.ts'
import type { Result } from '../result.ts'

/** What runc and crun set where a profile names no flags: a profile that names one has to name this one too. */
const DEFAULT_FLAG = 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'

/** How a report names what is missing; behind it stands what the node lacks. */
const REPORTS = 'reports of refusals'

/**
 * Has the kernel report what a profile refuses, on a node whose runtimes take the flag for it. Runtimes that do not
 * take it start no container of the profile, so none gets it unasked.
 * @param path the field that asks for it
 * @param reports left out: the profile is for no certain node, and each node says for itself
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

/** A call that kills its process is logged in any case. */
const refusesSilently = (profile: LinuxSeccomp): boolean =>
  actionsOf(profile).some((action) => action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRAP')
