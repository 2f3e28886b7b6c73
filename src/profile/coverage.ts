import { type Enforcer, parseEnforcers } from '../api/enforcer.ts'
import { join } from '../api/field-error.ts'
import type { DefenseInDepth, EnhanceProtect, Policy } from '../api/types.ts'
import { isImpossible } from '../rules/meaning.ts'
import type { Skipped } from './result.ts'
import { type SelectedRule, selectRules } from './selected-rules.ts'

/** A rule that a policy names, and who has a meaning for it, whether the policy names that enforcer or not. */
interface NamedRule {
  path: string
  by: readonly Enforcer[]
  /** An older AppArmor has no word for it. */
  needsNewer?: boolean
}

const PATH = 'spec.policy'

/** What a policy comes to with its enforcers. */
export interface Coverage {
  /** Why no rule that it names is enforced, and what would; empty where one is, and for a policy that names none. */
  nothing: string
  /** What is left out of its rules. Nothing is where it names none. */
  parts: readonly Skipped[]
}

/** Whether what a policy names is enforced, wholly or in part, given what compiling it has skipped. */
export function coverageOf(policy: Policy, skipped: readonly Skipped[]): Coverage {
  const named = namedRules(policy)
  if (named.length === 0) return { nothing: '', parts: [] }
  const parsed = parseEnforcers(policy.enforcer)
  const enforcers = parsed.ok ? parsed.enforcers : []
  const left = new Set(
    skipped.filter(({ extent }) => extent === 'all').map(({ enforcer, path }) => `${enforcer} ${path}`),
  )
  const isEnforced = ({ path, by }: NamedRule): boolean =>
    by.some((one) => one !== 'NetworkProxy' && enforcers.includes(one) && !left.has(`${one} ${path}`))
  const parts = skipped.filter(({ extent }) => extent !== 'nothing')
  return { nothing: named.some(isEnforced) ? '' : nothingText(policy.enforcer, enforcers, named), parts }
}

function nothingText(written: string, enforcers: readonly Enforcer[], named: readonly NamedRule[]): string {
  const sure = named.flatMap(({ by, needsNewer }) => by.filter((one) => one !== 'AppArmor' || needsNewer !== true))
  const others = new Set(sure.filter((one) => one !== 'NetworkProxy' && !enforcers.includes(one)))
  const remedy =
    others.size === 0
      ? 'no enforcer of this version carries them'
      : `add ${[...others].join(' or ')} to ${PATH}.enforcer, which would`
  return `${written} enforces none of the rules that the policy names: ${remedy}`
}

/** AlwaysAllow and BehaviorModeling promise nothing. */
function namedRules({ mode, enhanceProtect, defenseInDepth }: Policy): NamedRule[] {
  switch (mode) {
    case 'RuntimeDefault':
      return [{ path: join(PATH, 'mode'), by: ['AppArmor', 'BPF', 'Seccomp'] }]
    case 'EnhanceProtect':
      return enhanceProtect === undefined ? [] : ofEnhanceProtect(enhanceProtect, join(PATH, 'enhanceProtect'))
    case 'DefenseInDepth':
      return defenseInDepth === undefined ? [] : ofDefenseInDepth(defenseInDepth, join(PATH, 'defenseInDepth'))
    default:
      return []
  }
}

function ofEnhanceProtect(enhanceProtect: EnhanceProtect, path: string): NamedRule[] {
  const { appArmorRawRules = [], bpfRawRules = {}, syscallRawRules = [], networkProxyRawRules = {} } = enhanceProtect
  const raw = (field: string, by: Enforcer, rules: object): NamedRule[] =>
    Object.values(rules).some((one) => !Array.isArray(one) || one.length > 0)
      ? [{ path: join(path, field), by: [by] }]
      : []
  return [
    ...selectRules(enhanceProtect, path).rules.map(builtIn),
    ...appArmorRawRules.map((_, i) => ({
      path: join(join(join(path, 'appArmorRawRules'), i), 'rules'),
      by: ['AppArmor'] as const,
    })),
    ...raw('bpfRawRules', 'BPF', bpfRawRules),
    // What is allowed anyway is no rule.
    ...syscallRawRules.flatMap(({ action }, i): NamedRule[] =>
      action === 'SCMP_ACT_ALLOW' ? [] : [{ path: join(join(path, 'syscallRawRules'), i), by: ['Seccomp'] }],
    ),
    ...raw('networkProxyRawRules', 'NetworkProxy', networkProxyRawRules),
  ]
}

/** Rules for some programs only are AppArmor's alone. */
function builtIn({ rule, targets, path }: SelectedRule): NamedRule {
  const forAll = targets.length === 0
  const by: Enforcer[] = [
    ...(isImpossible(rule.appArmor) ? [] : (['AppArmor'] as const)),
    ...(forAll && !isImpossible(rule.bpf) ? (['BPF'] as const) : []),
    ...(forAll && !isImpossible(rule.seccomp) ? (['Seccomp'] as const) : []),
  ]
  const needsNewer = !isImpossible(rule.appArmor) && rule.appArmor.every(({ kind }) => kind === 'userns')
  return { path, by, needsNewer }
}

function ofDefenseInDepth({ appArmor, seccomp, networkProxy }: DefenseInDepth, path: string): NamedRule[] {
  const of = (field: string, by: Enforcer, rules: object | undefined): NamedRule[] =>
    rules === undefined ? [] : [{ path: join(path, field), by: [by] }]
  return [
    ...of('appArmor', 'AppArmor', appArmor),
    ...of('seccomp', 'Seccomp', seccomp),
    ...of('networkProxy', 'NetworkProxy', networkProxy),
  ]
}
