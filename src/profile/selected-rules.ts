import { type FieldError, join, nearestName } from '../api/field-error.ts'
import type { EnhanceProtect } from '../api/types.ts'
import { findRule, ruleNames } from '../rules/catalogue.ts'
import { listOfCategory, type Rule, type RuleCategory } from '../rules/meaning.ts'

/** A built-in rule that a policy selects. */
export interface SelectedRule {
  rule: Rule
  /** The field with its name: `spec.policy.enhanceProtect.hardeningRules[1]`. */
  path: string
  /** The executables to which the rule applies; empty: all. */
  targets: readonly string[]
}

type Written = { name: string; category: RuleCategory; path: string; targets: readonly string[] }

/** All built-in rule names of the policy with their fields, in the order of the lists. */
function* writtenRules(enhanceProtect: EnhanceProtect, path: string): Generator<Written> {
  const hardening = join(path, 'hardeningRules')
  for (const [i, name] of (enhanceProtect.hardeningRules ?? []).entries()) {
    yield { name, category: 'hardening', path: join(hardening, i), targets: [] }
  }
  const attack = join(path, 'attackProtectionRules')
  for (const [i, { rules, targets = [] }] of (enhanceProtect.attackProtectionRules ?? []).entries()) {
    const list = join(join(attack, i), 'rules')
    for (const [j, name] of (rules ?? []).entries()) {
      yield { name, category: 'attack-protection', path: join(list, j), targets }
    }
  }
  const vulnerability = join(path, 'vulMitigationRules')
  for (const [i, name] of (enhanceProtect.vulMitigationRules ?? []).entries()) {
    yield { name, category: 'vulnerability-mitigation', path: join(vulnerability, i), targets: [] }
  }
}

function unknownRule({ name, category, path }: Written): FieldError {
  const nearest = nearestName(name, ruleNames(category)) ?? nearestName(name, ruleNames())
  return {
    code: 'UNKNOWN_RULE',
    path,
    given: name,
    problem: 'no built-in rule has this name; `varmor rules` lists all names',
    ...(nearest !== undefined && { nearest }),
  }
}

function misplacedRule({ name, path }: Written, rule: Rule): FieldError {
  return { code: 'UNKNOWN_RULE', path, given: name, problem: `this rule belongs in ${listOfCategory[rule.category]}` }
}

/**
 * Looks up the built-in rules of `enhanceProtect` at `path`. Upper case, `_` for `-`, and aliases are accepted, and
 * duplicates are dropped. An unknown name, or a name in the list of another category, is an UNKNOWN_RULE error; the
 * rest is returned.
 */
export function selectRules(
  enhanceProtect: EnhanceProtect,
  path: string,
): { rules: SelectedRule[]; errors: FieldError[] } {
  const rules = new Map<string, SelectedRule>()
  const errors: FieldError[] = []
  for (const written of writtenRules(enhanceProtect, path)) {
    const rule = findRule(written.name)
    if (rule === undefined) errors.push(unknownRule(written))
    else if (rule.category !== written.category) errors.push(misplacedRule(written, rule))
    else {
      const key = JSON.stringify([rule.name, [...written.targets].sort()])
      if (!rules.has(key)) rules.set(key, { rule, path: written.path, targets: written.targets })
    }
  }
  return { rules: [...rules.values()], errors }
}
