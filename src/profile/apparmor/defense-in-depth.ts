import { type FieldError, join } from '../../api/field-error.ts'
import type { AppArmorProfile, DefenseInDepth } from '../../api/types.ts'
import type { CompileContext } from '../context.ts'
import type { Result, Skipped } from '../result.ts'
import { bounded, childrenBound } from './bounds.ts'
import { type CustomBlock, type CustomProfile, customLines, readCustomProfile } from './custom-profile.ts'
import { comment, literal, quoted } from './quoted.ts'
import { readRawRules } from './raw-rules.ts'
import { audited, type ParsedRule } from './rule-grammar.ts'
import { type TargetedRaw, type TargetGroup, targetErrors, targetGroups, withTwins } from './targets.ts'
import { exactExecutions, targetConflicts, tooManyWays, transitionConflicts } from './transition-conflicts.ts'

type Errors = { ok: false; errors: FieldError[] }

function error(code: FieldError['code'], path: string, problem: string): Errors {
  return { ok: false, errors: [{ code, path, problem }] }
}

/** The field that selects the profile. */
function fieldOf({ profileType }: AppArmorProfile): string {
  return profileType === 'Custom' ? 'customProfile' : 'profileType'
}

/** The profile of the policy: the user's, or the model's. */
function source(profile: AppArmorProfile, path: string, context: CompileContext): CustomProfile {
  const { profileName, appArmor, model } = context
  const at = join(path, fieldOf(profile))
  if (profile.profileType === 'Custom') {
    const { customProfile = '' } = profile
    if (customProfile === '') return error('REQUIRED', at, 'profileType Custom needs the text of a profile')
    return readCustomProfile(customProfile, profileName, at, appArmor)
  }
  if (model?.appArmor === undefined || model.appArmor === '') {
    return error('MISSING_MODEL', at, `the ArmorProfileModel ${profileName} has no AppArmor profile`)
  }
  return readCustomProfile(model.appArmor, profileName, at, appArmor)
}

function rawRulesOf(profile: AppArmorProfile, path: string, context: CompileContext, complain: boolean): TargetedRaw[] {
  return (profile.appArmorRawRules ?? []).map(({ rules, targets = [] }, i) => {
    const raw = readRawRules(join(join(join(path, 'appArmorRawRules'), i), 'rules'), rules, context.appArmor)
    return { ...raw, lines: complain ? raw.lines.map(audited) : raw.lines, targets }
  })
}

/** Errors for blocks with the flag `complain`: only the policy may allow violations. */
function complaining(block: CustomBlock, path: string): FieldError[] {
  return [block, ...block.children]
    .filter(({ flags }) => flags.includes('complain'))
    .map(({ name }) => {
      const problem = `flags=(complain) of ${name} lets all violations pass, and allowViolations is not true: leave the flag out, or set allowViolations`
      return { code: 'CONFLICT', path, given: 'complain', problem }
    })
}

/** Number of profiles that rules of the block name as the profile of a program. */
function transitionsByName({ rules }: CustomBlock): number {
  return new Set(rules.flatMap(({ executes }) => executes?.transition.split(' -> ')[1] ?? [])).size
}

/** With `allowViolations`, denials in included files still apply. */
function stillRefused(quiet: readonly string[], path: string): Skipped[] {
  return [...new Set(quiet)].map((name) => ({
    enforcer: 'AppArmor',
    path,
    rule: `include <${name}>`,
    reason: 'this file of the node refuses operations without a report; they stay refused despite allowViolations',
  }))
}

const allRules = ({ rules, children }: CustomBlock): ParsedRule[] => [...rules, ...children.flatMap(allRules)]

/**
 * Denials that the parser silently drops because the profile's ABI does not have them, even if the node supports them.
 */
function idle(abi: string, rules: readonly ParsedRule[], path: string): Skipped[] {
  if (abi !== '3.0') return []
  return rules
    .filter(({ isNewer, denies, needs }) => isNewer === true && denies && needs === undefined)
    .map(({ text: rule }) => {
      const reason = 'is enforced only in a custom profile that begins with "abi <abi/4.0>,"'
      return { enforcer: 'AppArmor', path, rule, reason }
    })
}

/** A parent may signal and trace its child, but not vice versa. */
function childLines(group: TargetGroup, name: string, parent: string, complain: boolean): string[] {
  const label = `${parent}//${name}`
  const lines = [
    'include if exists <abstractions/base>',
    ...group.targets.map((target) => `${quoted(literal(target))} rmix,`),
    `signal (receive) peer=${parent},`,
    `signal (send,receive) peer=${label},`,
    `ptrace (tracedby,readby) peer=${parent},`,
    `ptrace (trace,read,tracedby,readby) peer=${label},`,
    ...group.raw.flatMap(({ path, lines }) => [comment(`Rules of the policy: ${path}.`), ...lines]),
  ]
  const flags = `flags=(attach_disconnected,mediate_deleted${complain ? ',complain' : ''})`
  return [`profile ${name} ${flags} {`, ...lines.map((line) => `  ${line}`), '}']
}

/**
 * The lines that the policy adds to the profile: rules for the whole profile, then a child for each group of programs.
 */
function additions(
  raw: readonly TargetedRaw[],
  groups: readonly TargetGroup[],
  parent: string,
  complain: boolean,
): string[] {
  const global = raw.filter(({ targets }) => targets.length === 0)
  return [
    ...global.flatMap(({ path, lines }) => ['', comment(`Rules of the policy: ${path}.`), ...lines]),
    ...groups.flatMap((group, i) => [
      '',
      comment('Programs with rules of their own.'),
      ...group.targets.map((target) => `${quoted(literal(target))} cx -> child_${i},`),
      `signal (send) peer=${parent}//child_${i},`,
      `ptrace (trace,read) peer=${parent}//child_${i},`,
      '',
      ...childLines(group, `child_${i}`, parent, complain),
    ]),
  ]
}

/** A program with its own rules runs in its child profile, so the profile must not execute it in another way. */
function profileConflicts(block: CustomBlock, groups: readonly TargetGroup[], path: string): FieldError[] {
  const targets = groups.flatMap((group) => group.targets)
  const conflicts = targetConflicts(exactExecutions(block.rules), targets)
  const clashes: FieldError[] =
    conflicts === undefined
      ? [{ code: 'TOO_LARGE', path, problem: tooManyWays }]
      : conflicts.map(({ execution: { line, transition }, target }) => {
          const problem = `line ${line}: ${quoted(literal(target))} has its own rules in appArmorRawRules, so the profile cannot execute it with "${transition}"`
          return { code: 'CONFLICT', path, problem }
        })
  const children = block.children.filter(({ name }) => /^child_\d+$/.test(name) && groups.length > 0)
  const names = children.map(({ name }): FieldError => {
    return {
      code: 'CONFLICT',
      path,
      given: name,
      problem: 'programs with their own rules run in child profiles of this name: choose another name',
    }
  })
  return [...clashes, ...names]
}

/**
 * The DefenseInDepth mode: AppArmor refuses everything that neither the profile nor the raw rules allow. As in
 * upstream, a program with its own raw rules runs in a child profile with only these rules. With allowViolations, all
 * violations are allowed and reported, including violations of `deny` rules.
 */
export function compileDefenseInDepth(defense: DefenseInDepth, path: string, context: CompileContext): Result<string> {
  const section = join(path, 'appArmor')
  if (defense.appArmor === undefined) return error('REQUIRED', section, 'the enforcer AppArmor needs this section')
  const profile = source(defense.appArmor, section, context)
  const complain = defense.allowViolations ?? false
  const raw = rawRulesOf(defense.appArmor, section, context, complain)
  const groups = withTwins(targetGroups([], raw))
  const errors = [
    ...(profile.ok
      ? profileConflicts(profile.block, groups, join(section, fieldOf(defense.appArmor)))
      : profile.errors),
    ...(profile.ok && !complain ? complaining(profile.block, join(section, fieldOf(defense.appArmor))) : []),
    ...targetErrors(defense.appArmor.appArmorRawRules, join(section, 'appArmorRawRules')),
    ...raw.flatMap((each) => each.errors),
    ...childrenBound(groups, section, profile.ok ? transitionsByName(profile.block) : 0),
    ...transitionConflicts(
      raw.filter(({ targets }) => targets.length === 0),
      groups,
    ),
  ]
  if (!profile.ok || errors.length > 0) return { ok: false, errors }
  const lines = customLines(profile.block, complain, additions(raw, groups, context.profileName, complain))
  const head = [
    comment(`${context.profileName}: written by vArmor; changes made here are lost.`),
    comment(`DefenseInDepth. What no rule allows is ${complain ? 'allowed' : 'refused'} and reported.`),
    `abi <abi/${profile.abi}>,`,
    'include if exists <tunables/global>',
    '',
  ]
  const value = `${[...head, ...lines].map((line) => line.trimEnd()).join('\n')}\n`
  const refusing = complain ? stillRefused(profile.quiet, join(section, fieldOf(defense.appArmor))) : []
  const idling = [
    ...idle(profile.abi, allRules(profile.block), join(section, fieldOf(defense.appArmor))),
    ...raw.flatMap(({ rules, path }) => idle(profile.abi, rules, path)),
  ]
  const skipped = [...profile.skipped, ...refusing, ...idling, ...raw.flatMap((each) => each.skipped)]
  return bounded({ ok: true, value, skipped }, section)
}
