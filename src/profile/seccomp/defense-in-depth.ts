import { type FieldError, join } from '../../api/field-error.ts'
import type { LinuxSeccomp, SeccompProfile } from '../../api/types.ts'
import type { Result, Skipped } from '../result.ts'
import { type CustomProfile, readCustomProfile } from './custom-profile.ts'
import { clash, misbuilt } from './enhance-protect.ts'
import { badRule, readRules } from './read-rules.ts'
import { entriesOf, isBuiltRight, outcome, RuleSet, type SyscallRule } from './syscall-rule.ts'
import { type Action, isRefusing } from './vocabulary.ts'

/**
 * The profile of the user or of the model, after the raw rules. All other calls are refused. With `allowViolations`,
 * refused calls are logged instead. `path` is the path of `defenseInDepth.seccomp`.
 */
export function defenseInDepthProfile(
  seccomp: SeccompProfile,
  allowViolations: boolean,
  path: string,
  model: string | undefined,
): Result<LinuxSeccomp> {
  const base = baseProfile(seccomp, path, model)
  const notify = base.rest.listenerPath !== undefined
  const raw = readRules(seccomp.syscallRawRules ?? [], join(path, 'syscallRawRules'), badRule, notify)
  const errors = [...base.errors, ...raw.errors]
  if (errors.length > 0) return { ok: false, errors }

  const seen = (rule: SyscallRule) => (allowViolations ? observed(rule) : rule)
  const first = new RuleSet()
  for (const { rule, path: at } of raw.rules) {
    const added = first.add(seen(rule))
    if (added === 'inexpressible' || added === 'too-costly') errors.push(clash(rule, at, added))
  }
  const rest = asLoaded(base).flatMap((rule) => {
    const parts = first.rest(seen(rule))
    if (typeof parts !== 'string') return parts
    errors.push(clash(rule, join(path, 'syscallRawRules'), parts))
    return []
  })
  // Runtimes skip a rule whose action is the default action.
  const standard = defaultOf(base, allowViolations)
  const rules = [...first.rules, ...rest].filter((rule) => outcome(rule) !== outcome(standard))
  for (const name of wronglyBuilt(rules)) errors.push(misbuilt(name, path))
  if (errors.length > 0) return { ok: false, errors }

  const skipped = [...base.skipped, ...raw.skipped, ...notes(base, standard, rules, path)]
  return { ok: true, value: profileOf(base, standard, rules), skipped }
}

type Standard = { action: Action; errno?: number }

function baseProfile({ profileType, customProfile = '' }: SeccompProfile, path: string, model = ''): CustomProfile {
  if (profileType === 'Custom') {
    const at = join(path, 'customProfile')
    if (customProfile !== '') return readCustomProfile(customProfile, at)
    return without({ code: 'REQUIRED', path: at, problem: 'profileType Custom needs the JSON of a seccomp profile' })
  }
  const at = join(path, 'profileType')
  if (model !== '') return readCustomProfile(model, at)
  const problem = 'needs the seccomp profile of the ArmorProfileModel with the name of this profile'
  return without({ code: 'MISSING_MODEL', path: at, given: profileType, problem })
}

function without(error: FieldError): CustomProfile {
  return { defaultAction: 'SCMP_ACT_ERRNO', rest: {}, rules: [], errors: [error], skipped: [] }
}

/**
 * A default action that allows calls would defeat this mode, so an error replaces it. A stricter default action, such
 * as killing the process, is kept.
 */
function defaultOf({ defaultAction, rest }: CustomProfile, allowViolations: boolean): Standard {
  if (allowViolations) return { action: 'SCMP_ACT_LOG' }
  if (!isRefusing(defaultAction)) return { action: 'SCMP_ACT_ERRNO' }
  return { action: defaultAction, ...(rest.defaultErrnoRet !== undefined && { errno: rest.defaultErrnoRet }) }
}

function observed({ errno, ...rule }: SyscallRule): SyscallRule {
  if (isRefusing(rule.action)) return { ...rule, action: 'SCMP_ACT_LOG' }
  return { ...rule, ...(errno !== undefined && { errno }) }
}

/**
 * The rules that a runtime would load. runc skips rules with the default action. If a remaining rule for a call has no
 * arguments, libseccomp ignores all other rules for this call (db.c, `db_rule_add`).
 */
function asLoaded(base: CustomProfile): SyscallRule[] {
  const standard = outcome(defaultOf(base, false))
  const rules = base.rules.map(({ rule }) => rule).filter((rule) => outcome(rule) !== standard)
  const whole = new Map<string, SyscallRule>()
  for (const rule of rules) if (rule.when.length === 0 && !whole.has(rule.name)) whole.set(rule.name, rule)
  return rules.filter((rule) => (whole.get(rule.name) ?? rule) === rule)
}

function wronglyBuilt(rules: readonly SyscallRule[]): string[] {
  const byName = new Map<string, SyscallRule[]>()
  for (const rule of rules) {
    const named = byName.get(rule.name)
    if (named === undefined) byName.set(rule.name, [rule])
    else named.push(rule)
  }
  return [...byName].filter(([, named]) => !isBuiltRight(named)).map(([name]) => name)
}

function profileOf({ rest }: CustomProfile, standard: Standard, rules: readonly SyscallRule[]): LinuxSeccomp {
  const { defaultErrnoRet: _, ...others } = rest
  const syscalls = entriesOf(rules)
  return {
    defaultAction: standard.action,
    ...(standard.errno !== undefined && { defaultErrnoRet: standard.errno }),
    ...others,
    ...(syscalls.length > 0 && { syscalls }),
  }
}

function notes(base: CustomProfile, standard: Standard, rules: readonly SyscallRule[], path: string): Skipped[] {
  const note = (rule: string, reason: string): Skipped => ({
    enforcer: 'Seccomp',
    path,
    rule,
    reason,
    extent: 'nothing',
  })
  const found: Skipped[] = []
  if (!isRefusing(base.defaultAction) && isRefusing(standard.action)) {
    const reason = `its defaultAction ${base.defaultAction} is replaced by ${standard.action}: DefenseInDepth refuses calls that are not allowed`
    found.push(note('defaultAction', reason))
  }
  const starts = rules.some(({ name, action }) => /^execve(at)?$/.test(name) && !isRefusing(action))
  if (isRefusing(standard.action) && !starts) {
    found.push(note('execve', 'is not allowed, so no container can start under this profile'))
  }
  return found
}
