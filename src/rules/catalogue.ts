import { capabilityRules } from './capability-rules.ts'
import { hostEscapeRules } from './host-escape.ts'
import { informationLeakRules } from './information-leak.ts'
import { kernelAttackSurfaceRules } from './kernel-attack-surface.ts'
import type { Rule, RuleCategory } from './meaning.ts'
import { networkRules } from './network.ts'
import { sensitiveOperationRules } from './sensitive-operations.ts'
import { vulnerabilityRules } from './vulnerabilities.ts'

/** All built-in rules, sorted by category and then by subject. */
export const catalogue: readonly Rule[] = [
  ...hostEscapeRules,
  ...capabilityRules,
  ...kernelAttackSurfaceRules,
  ...informationLeakRules,
  ...sensitiveOperationRules,
  ...networkRules,
  ...vulnerabilityRules,
]

const byName = new Map(catalogue.flatMap((rule) => [rule.name, ...(rule.aliases ?? [])].map((name) => [name, rule])))

/**
 * The rule of this name or alias. Case does not matter, and `_` is `-`: `DISABLE_CAP_NET_RAW` is `disable-cap-net-raw`.
 */
export function findRule(name: string): Rule | undefined {
  return byName.get(name.toLowerCase().replaceAll('_', '-'))
}

/** Names and aliases of the rules in a category, or in all categories. */
export function ruleNames(category?: RuleCategory): string[] {
  return catalogue
    .filter((rule) => category === undefined || rule.category === category)
    .flatMap((rule) => [rule.name, ...(rule.aliases ?? [])])
}
