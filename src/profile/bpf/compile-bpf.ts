import { type FieldError, join } from '../../api/field-error.ts'
import { modelBpf } from '../../api/schema/behaviour.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { DefenseInDepth, EnhanceProtect, Policy } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'
import { isImpossible } from '../../rules/meaning.ts'
import type { CompileContext } from '../context.ts'
import { withNodeDisks } from '../node-disks.ts'
import type { Result, Skipped } from '../result.ts'
import { type SelectedRule, selectRules } from '../selected-rules.ts'
import { allowListProfile } from './allow-list.ts'
import type { Allowed } from './allowed.ts'
import type { BpfProfile, Verdict } from './bpf-profile.ts'
import { buildProfile } from './build-profile.ts'
import { type Draft, emptyDraft } from './draft.ts'
import { addRawRules } from './raw-rules.ts'
import { resolveReferences, type Unresolved } from './resolve.ts'
import { addRestriction } from './restrictions.ts'
import { addRuntimeDefault } from './runtime-default.ts'

export type { BpfProfile } from './bpf-profile.ts'

/**
 * Compiles the BPF part of `policy` at `path`. Equal input gives equal JSON, in any order of the rules. `skipped` names
 * the rules that BPF does not support. Errors: UNKNOWN_RULE, BAD_PATTERN, BAD_ADDRESS, NOT_ALLOWED, REQUIRED,
 * MISSING_MODEL, and TOO_LARGE with the most costly rules.
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
      if (policy.defenseInDepth === undefined) return required(join(path, 'defenseInDepth'))
      return defenseInDepthProfile(policy.defenseInDepth, join(path, 'defenseInDepth'), context)
  }
}

function required(path: string): Result<never> {
  return { ok: false, errors: [{ code: 'REQUIRED', path, problem: 'the mode of the policy needs this section' }] }
}

const modelSchema = nodeOf(modelBpf)

/** Refuses everything that neither the model nor the policy allows; allowViolations allows and reports it instead. */
function defenseInDepthProfile(
  { bpf, allowViolations = false }: DefenseInDepth,
  path: string,
  { model, profileName }: CompileContext,
): Result<BpfProfile> {
  const at = join(path, 'bpf')
  if (bpf === undefined) return error('REQUIRED', at, 'the enforcer BPF needs this section')
  const allowed: Allowed[] = []
  if (bpf.profileType === 'BehaviorModel') {
    if (model?.bpf === undefined)
      return error('MISSING_MODEL', join(at, 'profileType'), `the ArmorProfileModel ${profileName} has no BPF profile`)
    const from = `ArmorProfileModel/${profileName}: data.dynamicResult.bpf`
    const faults = validateSchema(modelSchema, model.bpf, { path: from })
    if (faults.length > 0) return { ok: false, errors: faults }
    allowed.push({ behaviour: model.bpf, path: from, recorded: true })
  } else if (bpf.allow === undefined)
    return error('REQUIRED', join(at, 'allow'), 'profileType Custom needs the list of what is allowed')
  if (bpf.allow !== undefined) allowed.push({ behaviour: bpf.allow, path: join(at, 'allow') })
  const errors: FieldError[] = []
  const profile = allowListProfile(allowed, { deny: !allowViolations, audit: true }, errors)
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value: profile, skipped: [] }
}

const error = (code: FieldError['code'], path: string, problem: string): Result<never> => ({
  ok: false,
  errors: [{ code, path, problem }],
})

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

/** Adds a built-in rule. @returns the rule as skipped if BPF does not support it */
function addBuiltIn(
  draft: Draft,
  { rule, path, targets }: SelectedRule,
  { blockDevices = [], absentHooks = [] }: CompileContext,
): Skipped[] {
  const skip = (reason: string): Skipped[] => [{ enforcer: 'BPF', path, rule: rule.name, reason, extent: 'all' }]
  if (isImpossible(rule.bpf)) return skip(rule.bpf.impossible)
  if (targets.length > 0) return skip('only AppArmor can limit rules to certain executables')
  const asksForUserfaultfds = !absentHooks.includes('lsm/inode_init_security_anon')
  const restrictions = withNodeDisks(rule.bpf, blockDevices)
  const carried = restrictions.filter(({ kind }) => kind !== 'userfaultfd' || asksForUserfaultfds)
  for (const restriction of carried) addRestriction(draft, restriction, path)
  if (carried.length === restrictions.length) return []
  const reason =
    'this kernel has no hook for userfaultfd(2): Linux 5.12 and later have one, and Seccomp enforces the rule on all kernels'
  return [{ enforcer: 'BPF', path, rule: rule.name, reason }]
}

/** Raw rules without qualifiers have no effect in a policy that allows violations without a report. */
function idleRules(draft: Draft, path: string): Skipped[] {
  const { files, mounts, sockets, destinations, references, ptrace } = draft
  const idle = [files, mounts, sockets, destinations, references, ptrace]
    .flat()
    .filter(({ deny, audit, from }) => !deny && !audit && from.startsWith(path))
  const reason =
    'the rule has no qualifiers, and allowViolations without auditViolations gives it no effect: write qualifiers, such as [deny]'
  return [...new Set(idle.map(({ from }) => from))].map((from) => ({
    enforcer: 'BPF',
    path: from,
    rule: from.slice(path.length + 1),
    reason,
    extent: 'nothing',
  }))
}

/**
 * Rules about Services and Pods that are skipped because the addresses are unknown.
 */
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
  const reason = 'violations of built-in rules are allowed and not reported, so these rules have no effect'
  return { enforcer: 'BPF', path, rule: 'allowViolations', reason, extent: 'nothing' }
}
