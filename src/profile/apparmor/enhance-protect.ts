import { type FieldError, join } from '../../api/field-error.ts'
import type { EnhanceProtect } from '../../api/types.ts'
import { RecentMap } from '../../base/recent-map.ts'
import { isImpossible, type Restriction } from '../../rules/meaning.ts'
import type { CompileContext } from '../context.ts'
import { type CompiledRestriction, withNodeDisks } from '../node-disks.ts'
import type { Result, Skipped } from '../result.ts'
import { type SelectedRule, selectRules } from '../selected-rules.ts'
import { alwaysAllow, type Family, runtimeDefault } from './base-rules.ts'
import { bounded, childrenBound } from './bounds.ts'
import { wayRules } from './file-rules.ts'
import { merged } from './glob.ts'
import { type ProfileBlock, profileText, type Section } from './profile-text.ts'
import { literal, quoted } from './quoted.ts'
import { rawWayRules } from './raw-ancestor-paths.ts'
import { type RawRules, readRawRules } from './raw-rules.ts'
import { type RestrictionContext, type RestrictionRules, restrictionRules } from './restriction-rules.ts'
import { enhanceProtectTargetErrors, type TargetedRaw, type TargetGroup, targetGroups, withTwins } from './targets.ts'
import { siblingConflicts, transitionConflicts } from './transition-conflicts.ts'
import { type Verdict, verdictOf } from './verdict.ts'

interface Protection {
  privileged: boolean
  verdict: Verdict
  context: RestrictionContext
  /**
   * AppArmor's ABI of the text. It is 4.0 only if a rule needs it, because AppArmor checks more operations under 4.0.
   */
  abi: string
  /** Complain mode: the kernel allows operations that no rule allows. */
  complain: boolean
}

function rawRulesOf(protect: EnhanceProtect, path: string, context: CompileContext): TargetedRaw[] {
  return (protect.appArmorRawRules ?? []).map(({ rules, targets = [] }, i) => ({
    ...readRawRules(join(join(join(path, 'appArmorRawRules'), i), 'rules'), rules, context.appArmor),
    targets,
  }))
}

function restrictionsOf({ rule }: SelectedRule, { blockDevices }: RestrictionContext): CompiledRestriction[] {
  return isImpossible(rule.appArmor) ? [] : withNodeDisks(rule.appArmor, blockDevices)
}

/**
 * Compiled built-in rules, by their restrictions and the context, because most policies of a cluster use the same
 * rules.
 */
const known = new WeakMap<object, Map<string, RestrictionRules>>()
/** The rules for directories above the paths of a selection, cached for the same reason. */
const knownWays = new RecentMap<string, string[]>(64)

function rulesOf(selected: SelectedRule, context: RestrictionContext): RestrictionRules {
  const { key } = context
  const make = (): RestrictionRules => restrictionRules(restrictionsOf(selected, context), context)
  if (key === undefined) return make()
  const { appArmor } = selected.rule
  const ofRule = known.get(appArmor) ?? new Map<string, RestrictionRules>()
  known.set(appArmor, ofRule)
  const rules = ofRule.get(key) ?? make()
  ofRule.set(key, rules)
  return rules
}

/** The section of a built-in rule: its name, its purpose, and its lines. */
function ruleSection(selected: SelectedRule, context: RestrictionContext): Section[] {
  const { rule } = selected
  const { rules } = rulesOf(selected, context)
  return rules.length === 0 ? [] : [{ why: [`${rule.name}: ${rule.stops}`, rule.why], rules }]
}

/** One section for the directories above all protected paths, because many paths are in the same directories. */
function waySection(selected: readonly SelectedRule[], context: RestrictionContext): Section[] {
  const paths = selected
    .flatMap((each) => restrictionsOf(each, context))
    .flatMap((restriction) => (restriction.kind === 'path' && restriction.deny.length > 0 ? [restriction.pattern] : []))
  const rules = waysOf([...new Set(paths)], context)
  if (rules.length === 0) return []
  const why = 'Directories above these paths: they cannot be renamed, removed, mounted elsewhere or covered.'
  return [{ why: [why], rules }]
}

function waysOf(paths: readonly string[], context: RestrictionContext): string[] {
  const make = (): string[] => [...new Set(wayRules(paths, context))]
  if (context.key === undefined) return make()
  const key = [context.key, ...paths].join('\n')
  const rules = knownWays.get(key) ?? make()
  knownWays.set(key, rules)
  return rules
}

function rawWaySection(raw: readonly RawRules[], context: RestrictionContext): Section[] {
  const rules = rawWayRules(
    raw.flatMap((each) => each.rules),
    context,
  )
  return rules.length === 0
    ? []
    : [{ why: ['The same for directories above paths that rules of the policy forbid.'], rules }]
}

function rawSection({ path, lines }: RawRules): Section {
  return { why: [`Rules of the policy: ${path}.`], rules: lines }
}

/** Transitions of programs with their own rules. Their child profiles also have the rules of this profile. */
function transitions(groups: readonly TargetGroup[]): Section[] {
  const rules = groups.flatMap(({ targets }, i) =>
    targets.map((target) => `${quoted(literal(target))} cx -> child_${i},`),
  )
  return rules.length === 0 ? [] : [{ why: ['Programs with rules of their own.'], rules }]
}

/** Transitions from the child `own` to the other children: a program that it starts gets the rules of its own group. */
function siblingTransitions(groups: readonly TargetGroup[], names: readonly string[], own: number): Section[] {
  const rules = groups.flatMap(({ targets }, i) =>
    i === own ? [] : merged(targets.map(literal)).map((glob) => `${quoted(glob)} px -> ${names[i]},`),
  )
  return rules.length === 0 ? [] : [{ why: ['Other programs with rules of their own.'], rules }]
}

function base({ privileged, verdict, context, abi }: Protection, family: Family): Section[] {
  return privileged ? alwaysAllow(context.features, abi) : runtimeDefault(family, verdict, context.features, abi)
}

function rulesSections(
  selected: readonly SelectedRule[],
  raw: readonly RawRules[],
  context: RestrictionContext,
): Section[] {
  return [
    ...selected.flatMap((each) => ruleSection(each, context)),
    ...waySection(selected, context),
    ...raw.map(rawSection),
    ...rawWaySection(raw, context),
  ]
}

function blockOf(
  name: string,
  global: { rules: readonly SelectedRule[]; raw: readonly RawRules[] },
  groups: readonly TargetGroup[],
  protection: Protection,
): ProfileBlock {
  const childNames = groups.map((_, i) => `${name}//child_${i}`)
  const children = groups.map(({ rules, raw }, i): ProfileBlock => {
    const own = rules.filter((each) => !global.rules.some(({ rule }) => rule.name === each.rule.name))
    return {
      name: `child_${i}`,
      complain: protection.complain,
      sections: [
        ...base(protection, { name: childNames[i]!, parent: name, children: [], siblings: groups.length > 1 }),
        ...rulesSections([...global.rules, ...own], [...global.raw, ...raw], protection.context),
        ...siblingTransitions(groups, childNames, i),
      ],
      children: [],
    }
  })
  return {
    name,
    complain: protection.complain,
    sections: [
      ...base(protection, { name, children: childNames }),
      ...rulesSections(global.rules, global.raw, protection.context),
      ...transitions(groups),
    ],
    children,
  }
}

/** The parts of the rules that AppArmor does not support; none if violations are ignored. */
function skippedOf(selected: readonly SelectedRule[], context: RestrictionContext): Skipped[] {
  if (context.verdict === 'ignore') return []
  return selected.flatMap((each): Skipped[] => {
    const { rule, path } = each
    const { rules, missing } = isImpossible(rule.appArmor)
      ? { rules: [], missing: [rule.appArmor.impossible] }
      : rulesOf(each, context)
    const extent = rules.length === 0 ? ({ extent: 'all' } as const) : {}
    return [...new Set(missing)].map((reason) => ({ enforcer: 'AppArmor', path, rule: rule.name, reason, ...extent }))
  })
}

/**
 * As in upstream, `allowViolations` does not change raw rules. In complain mode, the kernel does not enforce `audit
 * deny` rules. So a profile with `deny` rules of the user is not in complain mode, and refuses all operations that no
 * rule allows.
 */
function rawRefusal(protect: EnhanceProtect, raw: readonly RawRules[], path: string): Skipped[] {
  const denies = raw.some(({ rules }) => rules.some((rule) => rule.denies && rule.needs === undefined))
  if (protect.allowViolations !== true || !denies) return []
  const reason = 'deny rules in raw rules stay in force, so calls that no rule allows are refused too'
  return [{ enforcer: 'AppArmor', path: join(path, 'allowViolations'), rule: 'allowViolations', reason }]
}

const isUserns = ({ kind }: Restriction): boolean => kind === 'userns'

const outcomes: Record<Verdict, string> = {
  deny: 'Violations are refused.',
  'deny-and-audit': 'Violations are refused and reported.',
  observe: 'Violations are allowed and reported.',
  ignore: 'Violations are allowed.',
}

/** Whether a rule needs the newer ABI and the node supports the rule. */
const saysNewer = (raw: readonly RawRules[]): boolean =>
  raw.some(({ rules }) => rules.some(({ isNewer, needs }) => isNewer === true && needs === undefined))

function protectionOf(
  protect: EnhanceProtect,
  selected: readonly SelectedRule[],
  raw: readonly RawRules[],
  groups: readonly TargetGroup[],
  context: CompileContext,
  refusing: boolean,
): Protection {
  const verdict = verdictOf(protect)
  const privileged = protect.privileged ?? false
  const { appArmor: features } = context
  const saysUserns = selected.some(({ rule: { appArmor } }) => !isImpossible(appArmor) && appArmor.some(isUserns))
  const isNewer = (features.userns && saysUserns && verdict !== 'ignore') || saysNewer(raw)
  const { blockDevices = [] } = context
  const protectAncestors = protect.protectAncestors ?? true
  const targets = new Set(groups.flatMap(({ targets }) => targets))
  const isPlain = blockDevices.length === 0 && targets.size === 0
  return {
    privileged,
    verdict,
    abi: isNewer ? '4.0' : '3.0',
    complain: protect.allowViolations === true && !refusing,
    context: {
      verdict,
      features,
      blockDevices,
      mountsAllowed: privileged,
      protectAncestors,
      targets,
      ...(isPlain && { key: JSON.stringify([verdict, features, privileged, protectAncestors]) }),
    },
  }
}

/**
 * The EnhanceProtect mode: everything is allowed, except what the policy's rules refuse. `path`: the path of the
 * section.
 */
export function compileEnhanceProtect(protect: EnhanceProtect, path: string, context: CompileContext): Result<string> {
  const { rules: selected, errors: unknown } = selectRules(protect, path)
  const raw = rawRulesOf(protect, path, context)
  const groups = withTwins(targetGroups(selected, raw))
  const global = {
    rules: selected.filter(({ targets }) => targets.length === 0),
    raw: raw.filter(({ targets }) => targets.length === 0),
  }
  const errors: FieldError[] = [
    ...unknown,
    ...enhanceProtectTargetErrors(protect, path),
    ...raw.flatMap((each) => each.errors),
    ...transitionConflicts(global.raw, groups),
    ...siblingConflicts(groups),
    ...childrenBound(groups, path),
  ]
  if (errors.length > 0) return { ok: false, errors }
  const refusal = rawRefusal(protect, raw, path)
  const protection = protectionOf(protect, selected, raw, groups, context, refusal.length > 0)
  const skipped = [...skippedOf(selected, protection.context), ...refusal, ...raw.flatMap((each) => each.skipped)]
  if (context.withoutText) return { ok: true, value: '', skipped }
  const about = [
    `${context.profileName}: written by vArmor; changes made here are lost.`,
    `EnhanceProtect on ${protection.privileged ? 'AlwaysAllow' : 'RuntimeDefault'}. ${outcomes[protection.verdict]}`,
    ...refusal.map(({ reason }) => `But ${reason}.`),
  ]
  const result = {
    ok: true as const,
    value: profileText(about, protection.abi, blockOf(context.profileName, global, groups, protection)),
    skipped,
  }
  return bounded(result, path)
}
