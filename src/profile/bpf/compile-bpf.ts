import { type FieldError, join } from '../../api/field-error.ts'
import type { EnhanceProtect, Policy } from '../../api/types.ts'
import { isImpossible } from '../../rules/meaning.ts'
import type { CompileContext } from '../context.ts'
import { withNodeDisks } from '../node-disks.ts'
import type { Result, Skipped } from '../result.ts'
import { type SelectedRule, selectRules } from '../selected-rules.ts'
import type { BpfProfile, Verdict } from './bpf-profile.ts'
import { buildProfile } from './build-profile.ts'
import { type Draft, emptyDraft } from './draft.ts'
import { addRawRules } from './raw-rules.ts'
import { resolveReferences, type Unresolved } from './resolve.ts'
import { addRestriction } from './restrictions.ts'
import { addRuntimeDefault } from './runtime-default.ts'

export type { BpfProfile } from './bpf-profile.ts'

/**
 * Compiles the BPF part of `policy`, which stands at `path`. Equal input gives equal JSON, and so does the same set of
 * rules in another order. `skipped` names the rules that BPF does not carry. Errors: UNKNOWN_RULE, BAD_PATTERN, BAD_ADDRESS,
 * NOT_ALLOWED, TOO_LARGE with the rules that cost most, REQUIRED, and CONFLICT for the mode DefenseInDepth.
 */
export function compileBpf(policy: Policy, path: string, context: CompileContext): Result<BpfProfile> {
  switch (policy.mode) {
    case 'AlwaysAllow':
      return finish(emptyDraft(), [], [])
    case 'RuntimeDefault': {
      const draft = emptyDraft()
      addRuntimeDefault(draft, join(path, 'mode'))
      return finish(draft, [], [])
    }
    case 'EnhanceProtect':
      if (policy.enhanceProtect === undefined) return required(join(path, 'enhanceProtect'))
      return enhanceProtectProfile(policy.enhanceProtect, join(path, 'enhanceProtect'), context)
    case 'BehaviorModeling':
      return finish(emptyDraft(), [], [], context.modelingComplete === true ? 'enforce' : 'complain')
    case 'DefenseInDepth':
      return { ok: false, errors: [noDefenseInDepth(path)] }
  }
}

function required(path: string): Result<never> {
  return { ok: false, errors: [{ code: 'REQUIRED', path, problem: 'mode EnhanceProtect needs it' }] }
}

function noDefenseInDepth(path: string): FieldError {
  const problem = 'the BPF enforcer has no mode DefenseInDepth: leave BPF out of enforcer, or choose another mode'
  return { code: 'CONFLICT', path: join(path, 'mode'), given: 'DefenseInDepth', problem }
}

function finish(
  draft: Draft,
  errors: FieldError[],
  skipped: Skipped[],
  mode: BpfProfile['mode'] = 'enforce',
): Result<BpfProfile> {
  const profile = errors.length === 0 ? buildProfile(draft, errors, skipped) : undefined
  return errors.length > 0 || profile === undefined
    ? { ok: false, errors }
    : { ok: true, value: { ...profile, mode }, skipped }
}

function verdictOf({ auditViolations = false, allowViolations = false }: EnhanceProtect): Verdict {
  return { deny: !allowViolations, audit: auditViolations }
}

function enhanceProtectProfile(
  enhanceProtect: EnhanceProtect,
  path: string,
  context: CompileContext,
): Result<BpfProfile> {
  const verdict = verdictOf(enhanceProtect)
  const draft = emptyDraft(enhanceProtect.protectAncestors, verdict)
  const { rules, errors } = selectRules(enhanceProtect, path)
  const skipped = rules.flatMap((selected) => addBuiltIn(draft, selected, context))
  if (enhanceProtect.privileged !== true) addRuntimeDefault(draft, join(path, 'privileged'))
  const raw = enhanceProtect.bpfRawRules
  if (raw !== undefined) {
    addRawRules(draft, raw, join(path, 'bpfRawRules'), errors, skipped)
    skipped.push(...idleRules(draft, join(path, 'bpfRawRules')))
  }
  skipped.push(...withoutAddresses(resolveReferences(draft, context, errors), draft, rules, path))
  if (!verdict.deny && !verdict.audit && rules.length > 0) skipped.push(nothingToDo(join(path, 'allowViolations')))
  return finish(draft, errors, skipped)
}

/** Adds a built-in rule; returns it as skipped where BPF cannot carry it. */
function addBuiltIn(
  draft: Draft,
  { rule, path, targets }: SelectedRule,
  { blockDevices = [], absentHooks = [] }: CompileContext,
): Skipped[] {
  const skip = (reason: string): Skipped[] => [{ enforcer: 'BPF', path, rule: rule.name, reason, extent: 'all' }]
  if (isImpossible(rule.bpf)) return skip(rule.bpf.impossible)
  if (targets.length > 0) return skip('rules for some executables only are carried by AppArmor alone')
  const restrictions = withNodeDisks(rule.bpf, blockDevices)
  const asksForUserNamespaces = !absentHooks.includes('lsm/userns_create')
  const carried = restrictions.filter(({ kind }) => kind !== 'userns' || asksForUserNamespaces)
  if (carried.length === 0 && restrictions.length > 0)
    return skip('this kernel asks nobody when a user namespace is made: Linux 6.1 does, and Seccomp carries it on all')
  for (const restriction of carried) addRestriction(draft, restriction, path)
  return []
}

/** Raw rules that say themselves neither deny nor audit, in a policy that lets violations pass in silence. */
function idleRules(draft: Draft, path: string): Skipped[] {
  const { files, mounts, sockets, destinations, references, ptrace } = draft
  const idle = [files, mounts, sockets, destinations, references, ptrace]
    .flat()
    .filter(({ deny, audit, from }) => !deny && !audit && from.startsWith(path))
  const reason =
    'it has no qualifiers, and allowViolations without auditViolations lets it pass: write qualifiers, such as [deny]'
  return [...new Set(idle.map(({ from }) => from))].map((from) => ({
    enforcer: 'BPF',
    path: from,
    rule: from.slice(path.length + 1),
    reason,
    extent: 'nothing',
  }))
}

/** Rules about Services and Pods whose addresses are not known. What neither refuses nor reports is named elsewhere. */
function withoutAddresses(
  unresolved: readonly Unresolved[],
  draft: Draft,
  rules: readonly SelectedRule[],
  path: string,
): Skipped[] {
  const byPlace = new Map(unresolved.map((one) => [`${one.from} ${one.reason}`, one]))
  return Array.from(byPlace.values(), ({ from, reason, all }) => {
    const name = rules.find((one) => one.path === from)?.rule.name ?? from.slice(path.length + 1)
    const part = !all || [...draft.destinations, ...draft.resolved].some((one) => one.from === from)
    return { enforcer: 'BPF', path: from, rule: name, reason, ...(!part && { extent: 'all' }) }
  })
}

function nothingToDo(path: string): Skipped {
  const reason = 'violations of built-in rules are let through and not reported, so that these rules do nothing'
  return { enforcer: 'BPF', path, rule: 'allowViolations', reason, extent: 'nothing' }
}
