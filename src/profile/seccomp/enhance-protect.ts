import { type FieldError, join } from '../../api/field-error.ts'
import type { EnhanceProtect, LinuxSeccomp } from '../../api/types.ts'
import type { Result, Skipped } from '../result.ts'
import { type SelectedRule, selectRules } from '../selected-rules.ts'
import { builtInRules } from './built-in.ts'
import { isWide } from './comparison.ts'
import { multiplexedWay } from './multiplexed.ts'
import { ownProfile } from './own-profile.ts'
import { badRule, type ReadRules, readRules } from './read-rules.ts'
import { RuleSet, type SyscallRule } from './syscall-rule.ts'

/** Allows all calls except the calls that a rule of `enhanceProtect` refuses. `path`: the path of `enhanceProtect`. */
export function enhanceProtectProfile(enhanceProtect: EnhanceProtect, path: string): Result<LinuxSeccomp> {
  const { rules: selected, errors } = selectRules(enhanceProtect, path)
  const raw = readRules(enhanceProtect.syscallRawRules ?? [], join(path, 'syscallRawRules'), badRule, false)
  errors.push(...raw.errors)
  const skipped = [...notes(enhanceProtect, path), ...raw.skipped]
  const set = new RuleSet()
  // Raw rules come first, because they are more specific: a built-in rule applies to the calls that raw rules leave.
  addRawRules(raw, set, errors, skipped)
  addBuiltInRules(selected, enhanceProtect, set, errors, skipped)
  return errors.length > 0
    ? { ok: false, errors }
    : { ok: true, value: ownProfile('SCMP_ACT_ALLOW', set.rules), skipped }
}

function addRawRules(raw: ReadRules, set: RuleSet, errors: FieldError[], skipped: Skipped[]): void {
  const refused = raw.rules.filter(({ rule }) => rule.action !== 'SCMP_ACT_ALLOW')
  for (const { rule, path } of raw.rules) if (rule.action === 'SCMP_ACT_ALLOW') skipped.push(allowed(rule, path))
  for (const { rule, path } of refused) {
    add(set, rule, path, rule.name, errors, skipped)
    if (rule.when.some(isWide)) skipped.push(cut(rule, path))
  }
  // Rules for multiplexed calls come after all raw rules, so they change no rule of the user.
  for (const { rule } of refused) for (const way of multiplexedWay(rule)) set.add(way)
}

function addBuiltInRules(
  selected: readonly SelectedRule[],
  { auditViolations: audit = false, allowViolations: allow = false }: EnhanceProtect,
  set: RuleSet,
  errors: FieldError[],
  skipped: Skipped[],
): void {
  for (const one of selected) {
    const built = builtInRules(one, { audit, allow })
    skipped.push(...built.skipped)
    for (const rule of built.rules) {
      add(set, rule, one.path, one.rule.name, errors, skipped)
      for (const way of multiplexedWay(rule)) set.add(way)
    }
  }
}

function add(
  set: RuleSet,
  rule: SyscallRule,
  path: string,
  name: string,
  errors: FieldError[],
  skipped: Skipped[],
): void {
  const added = set.add(rule)
  if (added === 'inexpressible' || added === 'too-costly') errors.push(clash(rule, path, added))
  if (added === 'misbuilt') errors.push(misbuilt(rule.name, path))
  if (added === 'covered') {
    const reason = `${rule.action} for ${rule.name} never applies: syscallRawRules have another action for every such call`
    skipped.push({ enforcer: 'Seccomp', path, rule: name, reason })
  }
}

/**
 * The error for a rule that overlaps an earlier rule: its rest has no form in seccomp, or finding it takes too long.
 */
export function clash({ name, action }: SyscallRule, path: string, how: 'inexpressible' | 'too-costly'): FieldError {
  if (how === 'too-costly') {
    const problem = `${action} for ${name} and the rules before it overlap in too many ways to compare: use fewer masked values, or give them one action`
    return { code: 'TOO_LARGE', path, problem }
  }
  const problem =
    `${action} for ${name} overlaps with another action of syscallRawRules on the same argument, ` +
    'and seccomp cannot express the rest of the rule'
  return badRule(path, problem)
}

export function misbuilt(name: string, path: string): FieldError {
  const problem =
    `${name}: libseccomp before 2.6.1 builds a wrong filter if several rules for one call use comparisons other than equality ` +
    '(GHSA-4q85-33p6-j5g6)'
  const allowed =
    'SCMP_CMP_EQ and SCMP_CMP_MASKED_EQ; or one rule; or rules with one comparison each, of at most 32 bits'
  return badRule(path, problem, { allowed })
}

function cut({ name }: SyscallRule, path: string): Skipped {
  const reason = 'on 32-bit ABIs an argument has 32 bits, and libseccomp cuts the compared numbers to 32 bits'
  return { enforcer: 'Seccomp', path, rule: name, reason }
}

function allowed({ name }: SyscallRule, path: string): Skipped {
  const reason =
    'EnhanceProtect allows every call that no rule refuses; SCMP_ACT_ALLOW has no effect and does not override a built-in rule'
  return { enforcer: 'Seccomp', path, rule: name, reason, extent: 'nothing' }
}

function notes({ privileged }: EnhanceProtect, path: string): Skipped[] {
  if (!privileged) return []
  const reason =
    'privileged containers do not get a seccomp profile; this profile is for the other containers of the target'
  return [{ enforcer: 'Seccomp', path: join(path, 'privileged'), rule: 'privileged', reason }]
}
