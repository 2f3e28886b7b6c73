import { type Enforcer, parseEnforcers } from '../api/enforcer.ts'
import { join } from '../api/field-error.ts'
import type { DefenseInDepth, EnhanceProtect, Policy } from '../api/types.ts'
import { isImpossible } from '../rules/meaning.ts'
import type { Skipped } from './result.ts'
import { type SelectedRule, selectRules } from './selected-rules.ts'

/** A rule that a policy names, and the enforcers that support it, whether or not the policy names these enforcers. */
interface NamedRule {
  path: string
  by: readonly Enforcer[]
}

const PATH = 'spec.policy'

/** The part of a policy that its enforcers enforce. */
export interface Coverage {
  /**
   * Why no rule of the policy is enforced on any node, and the remedy; empty if a rule may be enforced, and for a
   * policy without rules.
   */
  nothing: string
  /** The parts of the policy's rules that all nodes leave out. */
  parts: readonly Skipped[]
  /** Rules that only a newer AppArmor enforces, and the reason why a node without these rules enforces nothing. */
  newer: { skipped: readonly Skipped[]; nothing: string } | undefined
}

/** Computes how much of a policy is enforced, from the skipped parts of a compilation without a certain node. */
export function coverageOf(policy: Policy, skipped: readonly Skipped[]): Coverage {
  const named = namedRules(policy)
  if (named.length === 0) return { nothing: '', parts: [], newer: undefined }
  const parsed = parseEnforcers(policy.enforcer)
  const enforcers = parsed.ok ? parsed.enforcers : []
  const isEnforced = (left: readonly Skipped[]): boolean => {
    const places = new Set(left.filter(({ extent }) => extent === 'all').map(placeOf))
    return named.some(({ path, by }) =>
      by.some(
        (one) => one !== 'NetworkProxy' && enforcers.includes(one) && !places.has(placeOf({ enforcer: one, path })),
      ),
    )
  }
  const onAllNodes = skipped.filter(({ byNode }) => byNode !== true)
  const parts = onAllNodes.filter(({ extent }) => extent !== 'nothing')
  const text = nothingText(policy.enforcer, enforcers, named)
  if (!isEnforced(onAllNodes)) return { nothing: text, parts, newer: undefined }
  const newer = isEnforced(skipped)
    ? undefined
    : { skipped: skipped.filter(({ byNode }) => byNode === true), nothing: `${text}; or update the nodes` }
  return { nothing: '', parts, newer }
}

const placeOf = ({ enforcer, path }: Pick<Skipped, 'enforcer' | 'path'>): string => `${enforcer} ${path}`

function nothingText(written: string, enforcers: readonly Enforcer[], named: readonly NamedRule[]): string {
  const carriers = named.flatMap(({ by }) => by)
  const others = new Set(carriers.filter((one) => one !== 'NetworkProxy' && !enforcers.includes(one)))
  const remedy =
    others.size === 0
      ? 'no other enforcer supports them'
      : `add ${[...others].join(' or ')} to ${PATH}.enforcer to enforce them`
  return `${written} enforces none of the rules that the policy names: ${remedy}`
}

/** The rules of a policy. AlwaysAllow and BehaviorModeling have none. */
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
    // SCMP_ACT_ALLOW does not count as a rule: such calls are allowed anyway.
    ...syscallRawRules.flatMap(({ action }, i): NamedRule[] =>
      action === 'SCMP_ACT_ALLOW' ? [] : [{ path: join(join(path, 'syscallRawRules'), i), by: ['Seccomp'] }],
    ),
    ...raw('networkProxyRawRules', 'NetworkProxy', networkProxyRawRules),
  ]
}

/** Only AppArmor supports rules for some programs. */
function builtIn({ rule, targets, path }: SelectedRule): NamedRule {
  const forAll = targets.length === 0
  const by: Enforcer[] = [
    ...(isImpossible(rule.appArmor) ? [] : (['AppArmor'] as const)),
    ...(forAll && !isImpossible(rule.bpf) ? (['BPF'] as const) : []),
    ...(forAll && !isImpossible(rule.seccomp) ? (['Seccomp'] as const) : []),
  ]
  return { path, by }
}

function ofDefenseInDepth({ appArmor, seccomp, bpf, networkProxy }: DefenseInDepth, path: string): NamedRule[] {
  const of = (field: string, by: Enforcer, rules: object | undefined): NamedRule[] =>
    rules === undefined ? [] : [{ path: join(path, field), by: [by] }]
  return [
    ...of('appArmor', 'AppArmor', appArmor),
    ...of('seccomp', 'Seccomp', seccomp),
    ...of('bpf', 'BPF', bpf),
    ...of('networkProxy', 'NetworkProxy', networkProxy),
  ]
}
