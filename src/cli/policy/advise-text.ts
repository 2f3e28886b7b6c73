import type { Advice, AdvisedRule } from '../../advice/advise.ts'
import type { KernelEnforcer } from '../../api/enforcer.ts'
import { apiVersion } from '../../api/schema/common.ts'
import type { EnhanceProtect, TargetKind, VarmorPolicy } from '../../api/types.ts'
import type { RuleCategory } from '../../rules/meaning.ts'
import { printable } from '../output.ts'

/** Name, namespace and target of the advised policy. */
export interface PolicyPlace {
  name: string
  namespace: string
  target: { kind: TargetKind; name: string }
}

const namesIn = ({ rules }: Advice, category: RuleCategory): string[] =>
  rules.filter(({ rule, isIn }) => isIn && rule.category === category).map(({ rule }) => rule.name)

/** The advised policy. */
export function advisedPolicy(advice: Advice, { name, namespace, target }: PolicyPlace): VarmorPolicy {
  const enhanceProtect: EnhanceProtect = {
    privileged: advice.privileged,
    auditViolations: true,
    hardeningRules: namesIn(advice, 'hardening'),
    attackProtectionRules: [{ rules: namesIn(advice, 'attack-protection') }],
    vulMitigationRules: namesIn(advice, 'vulnerability-mitigation'),
  }
  return {
    apiVersion,
    kind: 'VarmorPolicy',
    metadata: { name, namespace },
    spec: { target, policy: { enforcer: written(advice.enforcers), mode: 'EnhanceProtect', enhanceProtect } },
  }
}

const written = (enforcers: readonly KernelEnforcer[]): string => enforcers.join('')

/**
 * The advised policy as YAML. Comments give the reason why each rule is included or left out. `about` describes the
 * source.
 */
export function advisedYaml(advice: Advice, place: PolicyPlace, about: readonly string[]): string {
  const { name, namespace, target } = place
  const of = (category: RuleCategory) => advice.rules.filter(({ rule }) => rule.category === category)
  const lines = [
    ...about.map((line) => `# ${line}`),
    `apiVersion: ${apiVersion}`,
    'kind: VarmorPolicy',
    'metadata:',
    `  name: ${JSON.stringify(name)}`,
    `  namespace: ${JSON.stringify(namespace)}`,
    'spec:',
    '  target:',
    `    kind: ${target.kind}`,
    `    name: ${JSON.stringify(target.name)}`,
    '  policy:',
    `    enforcer: ${written(advice.enforcers)}`,
    '    mode: EnhanceProtect',
    '    enhanceProtect:',
    ...(advice.whyPrivileged === '' ? [] : [`      # ${advice.whyPrivileged}`]),
    `      privileged: ${advice.privileged}`,
    '      auditViolations: true',
    ...listLines('hardeningRules', of('hardening'), '      '),
    '      attackProtectionRules:',
    ...listLines('rules', of('attack-protection'), '          ', '        - '),
    ...listLines('vulMitigationRules', of('vulnerability-mitigation'), '      '),
  ]
  return `${lines.map(printable).join('\n')}\n`
}

/** @param first indent before the name of the list, if the list itself is an item */
function listLines(list: string, rules: readonly AdvisedRule[], indent: string, first = indent): string[] {
  const [inside, outside] = [rules.filter(({ isIn }) => isIn), rules.filter(({ isIn }) => !isIn)]
  return [
    `${first}${list}:${inside.length === 0 ? ' []' : ''}`,
    ...inside.flatMap(({ rule, why }) => [`${indent}  # ${rule.stops} In: ${why}.`, `${indent}  - ${rule.name}`]),
    ...outside.map(({ rule, why }) => `${indent}  # Left out: ${rule.name}: ${why}`),
  ]
}
