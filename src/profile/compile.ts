import { type Enforcer, enforcers, type KernelEnforcer, parseEnforcers } from '../api/enforcer.ts'
import type { FieldError } from '../api/field-error.ts'
import { profileName } from '../api/profile-name.ts'
import type {
  EgressAddresses,
  LinuxSeccomp,
  Policy,
  PolicyMode,
  VarmorClusterPolicy,
  VarmorPolicy,
} from '../api/types.ts'
import { validatePolicy } from '../api/validate.ts'
import { compileAppArmor } from './apparmor/compile-apparmor.ts'
import { type BpfProfile, compileBpf } from './bpf/compile-bpf.ts'
import {
  type AppArmorFeatures,
  type BehaviorModel,
  type CompileContext,
  type EgressControl,
  newestAppArmor,
  oldestAppArmor,
  type SeccompReports,
} from './context.ts'
import { withoutFaults } from './drop-invalid-rules.ts'
import type { Result, Skipped } from './result.ts'
import { compileSeccomp } from './seccomp/compile-seccomp.ts'

export interface CompileOptions {
  /** Features of the node's AppArmor. Left out: compile for the oldest supported AppArmor, not for a certain node. */
  appArmor?: AppArmorFeatures
  /** Block devices of the node, as in CompileContext. */
  blockDevices?: readonly string[]
  /** Hooks that the node lacks, as in CompileContext. */
  absentHooks?: readonly string[]
  /** Seccomp flags that the node's runtimes accept, as in CompileContext. */
  seccompReports?: SeccompReports
  /** As in CompileContext. */
  egressControl?: EgressControl
  addresses?: readonly EgressAddresses[]
  /** The namespace in which vArmor is installed; part of the profile names of cluster policies. */
  installNamespace?: string
  /** The name of the profile, if it differs from the policy's first profile name. */
  profileName?: string
  /** For a policy whose `profileType` is BehaviorModel. */
  model?: BehaviorModel
  /** The behaviour modelling of the policy has ended: nothing is recorded. */
  modelingComplete?: boolean
  /** Compile for these enforcers instead of the enforcers in `spec.policy.enforcer`. */
  enforcers?: readonly KernelEnforcer[]
}

/** The profiles that the enforcers load for one policy. */
export interface CompiledPolicy {
  kind: 'VarmorPolicy' | 'VarmorClusterPolicy'
  /** Absent for a cluster policy. */
  namespace?: string
  name: string
  profileName: string
  mode: PolicyMode
  enforcers: {
    AppArmor?: { profile: string }
    BPF?: { profile: BpfProfile }
    Seccomp?: { profile: LinuxSeccomp }
  }
  skipped: Skipped[]
}

const PATH = 'spec.policy'

/**
 * Compiles a policy for each of its enforcers. `object` may be anything: it is validated first. All errors are returned
 * at once: the errors of the schema, and the errors of the compilers in the valid parts of the policy.
 */
export function compilePolicy(object: unknown, options: CompileOptions = {}): Result<CompiledPolicy> {
  return compileValidated(object, validatePolicy(object), options)
}

/** Compiles a policy in which `validatePolicy` found `faults`. */
export function compileValidated(
  object: unknown,
  faults: readonly FieldError[],
  options: CompileOptions,
): Result<CompiledPolicy> {
  if (faults.length > 0) return { ok: false, errors: unique([...faults, ...errorsInTheRest(object, faults, options)]) }

  const policy = object as VarmorPolicy | VarmorClusterPolicy
  const compiled = compileWanted(policy, options)
  if (compiled.errors.length > 0) return { ok: false, errors: unique(compiled.errors) }
  const skipped = [...byNode(policy, options, compiled.skipped), ...notes(policy.spec.policy, options.enforcers)]
  return { ok: true, value: describe(policy, compiled.enforcers, skipped, options), skipped }
}

/** Sets `byNode` on rules that only an old AppArmor leaves out. */
function byNode(
  policy: VarmorPolicy | VarmorClusterPolicy,
  options: CompileOptions,
  skipped: readonly Skipped[],
): Skipped[] {
  const isAppArmors = ({ enforcer }: Skipped): boolean => enforcer === 'AppArmor'
  if (options.appArmor !== undefined || !skipped.some(isAppArmors)) return [...skipped]
  const newer = { ...options, appArmor: newestAppArmor }
  const newest = compileAll(policy.spec.policy, ['AppArmor'], { ...contextOf(policy, newer), withoutText: true })
  // A node with a new AppArmor reports these errors when it compiles the policy.
  if (newest.errors.length > 0) return [...skipped]
  const everywhere = new Set(newest.skipped.map(({ path, rule, reason }) => JSON.stringify([path, rule, reason])))
  return skipped.map((one) =>
    isAppArmors(one) && !everywhere.has(JSON.stringify([one.path, one.rule, one.reason]))
      ? { ...one, byNode: true }
      : one,
  )
}

/** The errors that the compilers find in the valid parts of an invalid policy. */
function errorsInTheRest(object: unknown, faults: readonly FieldError[], options: CompileOptions): FieldError[] {
  const rest = withoutFaults(object, faults)
  return rest === undefined ? [] : compileWanted(rest.policy, options).errors.filter(rest.isReal)
}

function compileWanted(policy: VarmorPolicy | VarmorClusterPolicy, options: CompileOptions) {
  const wanted = wantedEnforcers(policy.spec.policy, options.enforcers)
  return compileAll(policy.spec.policy, wanted, contextOf(policy, options))
}

function wantedEnforcers(policy: Policy, chosen: readonly KernelEnforcer[] | undefined): readonly Enforcer[] {
  if (chosen !== undefined) return enforcers.filter((name) => chosen.some((one) => one === name))
  const parsed = parseEnforcers(policy.enforcer)
  return parsed.ok ? parsed.enforcers : []
}

function contextOf(policy: VarmorPolicy | VarmorClusterPolicy, options: CompileOptions): CompileContext {
  const { appArmor = oldestAppArmor, blockDevices = [], absentHooks = [], model, modelingComplete = false } = options
  const { egressControl, addresses, seccompReports } = options
  const profileName = nameOf(policy, options)
  const context = { profileName, appArmor, blockDevices, absentHooks, modelingComplete }
  return {
    ...context,
    ...(model !== undefined && { model }),
    ...(egressControl !== undefined && { egressControl }),
    ...(addresses !== undefined && { addresses }),
    ...(seccompReports !== undefined && { seccompReports }),
  }
}

const nameOf = (policy: VarmorPolicy | VarmorClusterPolicy, options: CompileOptions): string =>
  options.profileName ?? profileName(policy, options.installNamespace)

const compilers: { [E in KernelEnforcer]: (policy: Policy, path: string, context: CompileContext) => Result<unknown> } =
  {
    AppArmor: compileAppArmor,
    BPF: compileBpf,
    Seccomp: compileSeccomp,
  }

function compileAll(policy: Policy, wanted: readonly Enforcer[], context: CompileContext) {
  const all = { enforcers: {} as CompiledPolicy['enforcers'], errors: [] as FieldError[], skipped: [] as Skipped[] }
  for (const enforcer of wanted) {
    if (enforcer === 'NetworkProxy') continue
    const result = compilers[enforcer](policy, PATH, context)
    if (result.ok) {
      Object.assign(all.enforcers, { [enforcer]: { profile: result.value } })
      all.skipped.push(...result.skipped)
    } else all.errors.push(...result.errors)
  }
  return all
}

/**
 * Keeps the first of several equal errors at one field: the schema and two compilers may report the same error.
 */
function unique(errors: readonly FieldError[]): FieldError[] {
  const byPlace = new Map<string, FieldError>()
  for (const error of errors) {
    const key = `${error.path} ${error.code === 'BAD_SECCOMP_RULE' ? error.problem : error.code}`
    if (!byPlace.has(key)) byPlace.set(key, error)
  }
  return [...byPlace.values()]
}

/** Fields that concern one enforcer only. */
const ownFields: [enforcer: Enforcer, section: 'enhanceProtect' | 'defenseInDepth', field: string][] = [
  ['AppArmor', 'enhanceProtect', 'appArmorRawRules'],
  ['BPF', 'enhanceProtect', 'bpfRawRules'],
  ['Seccomp', 'enhanceProtect', 'syscallRawRules'],
  ['NetworkProxy', 'enhanceProtect', 'networkProxyRawRules'],
  ['AppArmor', 'defenseInDepth', 'appArmor'],
  ['Seccomp', 'defenseInDepth', 'seccomp'],
  ['BPF', 'defenseInDepth', 'bpf'],
  ['NetworkProxy', 'defenseInDepth', 'networkProxy'],
]

const sectionOf: Partial<Record<PolicyMode, string>> = {
  EnhanceProtect: 'enhanceProtect',
  DefenseInDepth: 'defenseInDepth',
}

/** Notes on parts of the policy that are not compiled: rules for enforcers that it does not name, and NetworkProxy. */
function notes(policy: Policy, chosen: readonly KernelEnforcer[] | undefined): Skipped[] {
  if (chosen !== undefined) return []
  const named = wantedEnforcers(policy, undefined)
  const found: Skipped[] = ownFields
    .filter(([enforcer, section, field]) => {
      const present = policy[section] !== undefined && field in policy[section]
      return section === sectionOf[policy.mode] && present && !named.includes(enforcer)
    })
    .map(([enforcer, section, field]) => ({
      enforcer,
      path: `${PATH}.${section}.${field}`,
      rule: field,
      reason: `${PATH}.enforcer does not name ${enforcer}, so nothing enforces it`,
      extent: 'all',
    }))
  if (!named.includes('NetworkProxy')) return found
  const reason = 'its rules are validated, but this version does not enforce them'
  return [...found, { enforcer: 'NetworkProxy', path: `${PATH}.enforcer`, rule: 'NetworkProxy', reason }]
}

function describe(
  policy: VarmorPolicy | VarmorClusterPolicy,
  compiled: CompiledPolicy['enforcers'],
  skipped: Skipped[],
  options: CompileOptions,
): CompiledPolicy {
  const { kind, metadata } = policy
  return {
    kind,
    ...(kind === 'VarmorPolicy' && { namespace: metadata.namespace ?? 'default' }),
    name: metadata.name,
    profileName: nameOf(policy, options),
    mode: policy.spec.policy.mode,
    enforcers: compiled,
    skipped,
  }
}
