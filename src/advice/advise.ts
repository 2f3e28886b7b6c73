import type { KernelEnforcer } from '../api/enforcer.ts'
import type { DynamicResult, EnhanceProtect, VarmorPolicy } from '../api/types.ts'
import { type CompileOptions, compilePolicy } from '../profile/compile.ts'
import type { Capability } from '../rules/capabilities.ts'
import { catalogue } from '../rules/catalogue.ts'
import type { Rule } from '../rules/meaning.ts'
import { againstRule, impliedBy } from './contradiction.ts'
import { carriersOf, covers, evidenceFor, evidenceOf } from './evidence.ts'
import { applicable, excludes, type Feature, features, onRequest, operationsOf } from './features.ts'
import { judgesOf } from './judges.ts'
import { modelOperations } from './model-operations.ts'
import { type Operation, operationText } from './operation.ts'

export interface AdviceQuestion {
  /** The recorded behaviour; absent if nothing was recorded. */
  result?: DynamicResult
  /** The AppArmor label of the workload while it was recorded. */
  label?: string
  features: readonly Feature[]
  /** Capabilities that the application needs, whether or not they were recorded. */
  capabilities: readonly Capability[]
  enforcers: readonly KernelEnforcer[]
  options?: CompileOptions
}

/** A built-in rule, and why it is in the policy or left out. */
export interface AdvisedRule {
  rule: Rule
  isIn: boolean
  why: string
}

export interface Advice {
  /** The requested enforcers that support a rule of the policy; all requested enforcers if none supports a rule. */
  enforcers: readonly KernelEnforcer[]
  privileged: boolean
  /** Why the policy starts from AlwaysAllow; empty if it starts from RuntimeDefault. */
  whyPrivileged: string
  rules: readonly AdvisedRule[]
}

/**
 * Rules that refuse sets of capabilities, the largest set first. The advised rule is the first rule without a conflict.
 */
const sets = ['disable-cap-all', 'disable-cap-all-except-net-bind-service', 'disable-cap-privileged']

/** Rules of attack protection that refuse nothing that most applications need. */
const harmless = /^(?:mitigate-|block-access-to-.*metadata-service$)/

/**
 * Advises the built-in rules that certainly do not conflict with the recorded behaviour, the features and the
 * capabilities. If it is unknown whether a rule conflicts with them, the rule is left out.
 */
export function advise(question: AdviceQuestion): Advice {
  const operations = operationsOfQuestion(question)
  const byDefault = judgesFor({ privileged: false }, question.enforcers, question.options ?? {})
  const refusedByDefault = operations.find((one) => byDefault.some(({ judge }) => judge(one).outcome === 'denied'))
  const isPrivileged = question.features.includes('privileged-container')
  const privileged = isPrivileged || refusedByDefault !== undefined
  const enforcers = question.enforcers.filter((one) => one !== 'Seccomp' || !privileged)
  const rules = new Adviser({ ...question, enforcers }, operations, privileged).all()
  const carrying = new Set(rules.flatMap(({ rule, isIn }) => (isIn ? carriersOf(rule, enforcers) : [])))
  const used = enforcers.filter((one) => carrying.has(one))
  return {
    enforcers: used.length > 0 ? used : question.enforcers,
    privileged,
    whyPrivileged: isPrivileged
      ? features['privileged-container']
      : refusedByDefault === undefined
        ? ''
        : `containers may not do this by default: ${operationText(refusedByDefault)}`,
    rules,
  }
}

function operationsOfQuestion({ result, label = '', features: named, capabilities }: AdviceQuestion): Operation[] {
  const { operations, programs } = modelOperations(result ?? {}, label)
  const all = [
    ...operations.map(({ operation }) => operation),
    ...impliedBy(programs, result?.seccomp?.syscalls ?? []),
    ...named.flatMap((feature) => operationsOf[feature]),
    ...capabilities.map((name): Operation => ({ kind: 'capability', name })),
  ]
  return [...new Map(all.map((operation) => [operationKey(operation), operation])).values()]
}

const operationKey = (operation: Operation): string =>
  JSON.stringify(operation, (_, value) => (typeof value === 'bigint' ? String(value) : value))

const known = new Map<string, ReturnType<typeof judgesOf>>()
const MAX_KNOWN = 512

/** The judges of a policy with this section. The judges depend only on the arguments, so they are cached. */
export function judgesFor(
  section: EnhanceProtect,
  enforcers: readonly KernelEnforcer[],
  options: CompileOptions,
): ReturnType<typeof judgesOf> {
  const key = JSON.stringify([section, enforcers, options])
  const before = known.get(key)
  if (before !== undefined) return before
  const compiled = compilePolicy(policyWith(section), { ...options, enforcers })
  if (!compiled.ok) throw new Error(`a policy of built-in rules does not compile: ${JSON.stringify(compiled.errors)}`)
  const judges = judgesOf(compiled.value)
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(key, judges)
  return judges
}

const policyWith = (enhanceProtect: EnhanceProtect): VarmorPolicy => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'advised', namespace: 'default' },
  spec: {
    target: { kind: 'Deployment', name: 'advised' },
    policy: { enforcer: 'AppArmorBPFSeccomp', mode: 'EnhanceProtect', enhanceProtect },
  },
})

/** The `enhanceProtect` section of a policy with one rule. */
export function sectionWith({ name, category }: Pick<Rule, 'name' | 'category'>, privileged: boolean): EnhanceProtect {
  if (category === 'hardening') return { privileged, hardeningRules: [name] }
  if (category === 'attack-protection') return { privileged, attackProtectionRules: [{ rules: [name] }] }
  return { privileged, vulMitigationRules: [name] }
}

const namesOf = (category: Rule['category']): string[] =>
  catalogue.filter((rule) => rule.category === category).map(({ name }) => name)

/** A section with all rules. If this section allows an operation, each single rule allows the operation. */
const everything: EnhanceProtect = {
  privileged: true,
  hardeningRules: namesOf('hardening'),
  attackProtectionRules: [{ rules: namesOf('attack-protection') }],
  vulMitigationRules: namesOf('vulnerability-mitigation'),
}

class Adviser {
  readonly #question: AdviceQuestion
  readonly #operations: readonly Operation[]
  readonly #privileged: boolean
  /** Operations that at least one rule may refuse. All other operations conflict with no rule. */
  readonly #delicate: readonly Operation[]
  readonly #advised = new Map<Rule, AdvisedRule>()

  constructor(question: AdviceQuestion, operations: readonly Operation[], privileged: boolean) {
    this.#question = question
    this.#operations = operations
    this.#privileged = privileged
    const { enforcers, options = {} } = question
    const judges = judgesFor(everything, enforcers, options)
    this.#delicate = operations.filter((one) => judges.some(({ judge }) => judge(one).outcome !== 'allowed'))
  }

  all(): AdvisedRule[] {
    // Rules about sets of capabilities come first, so that a rule inside an advised set is not advised again.
    const order = [...catalogue].sort((a, b) => rank(a) - rank(b))
    for (const rule of order) this.#advised.set(rule, { rule, ...this.#judge(rule) })
    return catalogue.map((rule) => this.#advised.get(rule)!)
  }

  #judge(rule: Rule): Omit<AdvisedRule, 'rule'> {
    const out = (why: string) => ({ isIn: false, why })
    const { enforcers, features: named, result } = this.#question
    if (carriersOf(rule, enforcers).length === 0) return out(this.#noCarrier)
    const asked = onRequest[rule.name]
    if (asked !== undefined) return out(asked)
    const excluding = named.find((feature) => excludes[feature]?.includes(rule.name))
    if (excluding !== undefined) return out(`${excluding}: ${features[excluding]}`)
    if (!this.#isApplicable(rule)) return out(this.#whyNotApplicable(rule))
    const against = this.#against(rule)
    if (against !== undefined) return out(against)
    const wider = [...this.#advised.values()].find((one) => one.isIn && covers(one.rule, rule))
    if (wider !== undefined) return out(`${wider.rule.name} includes this rule`)
    const unseen = this.#unseen(rule)
    const needsModel = rule.category === 'attack-protection' && !harmless.test(rule.name)
    if (needsModel && result === undefined)
      return out('many applications need operations that the rule refuses: record a model first')
    if (needsModel && unseen.length > 0) return out(`${unseen.join(' and ')} were not recorded`)
    return { isIn: true, why: this.#whyIn(unseen) }
  }

  get #noCarrier(): string {
    const why = 'none of the enforcers supports the rule'
    return this.#privileged ? `${why} for a privileged container, which does not have a seccomp profile` : why
  }

  #whyIn(unseen: readonly string[]): string {
    if (this.#question.result === undefined) return 'fits the given features and capabilities'
    const why = 'fits the recording'
    return unseen.length > 0 ? `${why}, but the recording does not contain ${unseen.join(' and ')}` : why
  }

  #against(rule: Rule): string | undefined {
    const { enforcers, options = {} } = this.#question
    const carriers = carriersOf(rule, enforcers)
    const judges = judgesFor(sectionWith(rule, true), carriers, options)
    for (const operation of this.#delicate) {
      const why = againstRule(judges, operation)
      if (why !== undefined) return why
    }
    return undefined
  }

  #unseen(rule: Rule): string[] {
    const { result, enforcers } = this.#question
    const seen = evidenceOf(result ?? {})
    return [...evidenceFor(rule, enforcers)].filter((one) => !seen.has(one))
  }

  #isApplicable(rule: Rule): boolean {
    const only = applicable[rule.name]
    if (only === undefined || (this.#privileged && only.features.includes('privileged-container'))) return true
    if (only.features.some((feature) => this.#question.features.includes(feature))) return true
    return this.#operations.some((one) => one.kind === 'capability' && only.capabilities.includes(one.name))
  }

  #whyNotApplicable({ name }: Rule): string {
    const { features: named, capabilities } = applicable[name]!
    return `the rule is needed only with ${[...named, ...capabilities].join(', ')}`
  }
}

function rank({ name }: Rule): number {
  const place = sets.indexOf(name)
  if (place >= 0) return place
  return name === 'block-access-to-metadata-service' ? sets.length : sets.length + 1
}
