import { isDeepStrictEqual } from 'node:util'
import type { FieldError } from '../../src/api/field-error.ts'
import type { ArmorProfile, Profile } from '../../src/api/types.ts'
import { sourceOf } from '../../src/profile/carried.ts'
import { type CompiledPolicy, compilePolicy } from '../../src/profile/compile.ts'
import type { BehaviorModel } from '../../src/profile/context.ts'
import type { Skipped } from '../../src/profile/result.ts'
import type { AnyPolicy, ProfileDocument } from '../ports.ts'
import { bpfContent } from './bpf-content.ts'
import type { Modeling } from './modeling.ts'
import { idOf, profileIdOf } from './policy-id.ts'

/** Upstream's: holds an ArmorProfile until the nodes have unloaded it. */
export const PROFILE_FINALIZER = 'varmor.org/ap-protection'

export interface DesiredOptions {
  installNamespace: string
  modeling: Modeling
  /** What modelling found for the policies that use it. */
  model?: BehaviorModel
}

export type Desired =
  | { ok: true; document: ProfileDocument; skipped: readonly Skipped[] }
  | { ok: false; errors: readonly FieldError[] }

/** The ArmorProfile that a policy is to have, or everything that is wrong with the policy. Equal input gives equal output. */
export function desiredProfile(policy: AnyPolicy, options: DesiredOptions): Desired {
  const { installNamespace, modeling, model } = options
  const modelingComplete = modeling.state === 'complete'
  const compiled = compilePolicy(plain(policy), {
    installNamespace,
    modelingComplete,
    ...(model !== undefined && { model }),
  })
  if (!compiled.ok) return compiled
  const document = { metadata: metadata(policy, installNamespace), spec: spec(policy, compiled.value, options) }
  return { ok: true, document, skipped: compiled.skipped }
}

/** Without the status, which is ours: what is wrong with it is no mistake of the user. */
function plain({ apiVersion, kind, metadata: { name, namespace }, spec }: AnyPolicy): unknown {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) }, spec }
}

function metadata(policy: AnyPolicy, installNamespace: string): ProfileDocument['metadata'] {
  const { name, uid = '', labels } = policy.metadata
  return {
    ...profileIdOf(idOf(policy), installNamespace),
    ...(labels !== undefined && { labels: { ...labels } }),
    finalizers: [PROFILE_FINALIZER],
    ownerReferences: [{ apiVersion: policy.apiVersion, kind: policy.kind, name, uid, controller: true }],
  }
}

function spec(
  policy: AnyPolicy,
  compiled: CompiledPolicy,
  { modeling, model }: DesiredOptions,
): ProfileDocument['spec'] {
  const { target, policy: rules, updateExistingWorkloads = false } = policy.spec
  const enable = modeling.state === 'recording'
  const { AppArmor, BPF, Seccomp } = compiled.enforcers
  const profile: Profile = {
    name: compiled.profileName,
    enforcer: rules.enforcer,
    mode: enable || letsViolationsPass(policy) ? 'complain' : 'enforce',
    ...(AppArmor !== undefined && { appArmor: AppArmor.profile }),
    ...(BPF !== undefined && { bpf: bpfContent(BPF.profile) }),
    ...(Seccomp !== undefined && { seccomp: JSON.stringify(Seccomp.profile) }),
  }
  const duration = modeling.state === 'none' ? 0 : (rules.modelingOptions?.duration ?? 0)
  const source = sourceOf(rules, model)
  return { target, profile, behaviorModeling: { enable, duration }, updateExistingWorkloads, source }
}

/** As upstream: `mode` says so for DefenseInDepth only; EnhanceProtect has it in the rules. */
function letsViolationsPass({ spec: { policy } }: AnyPolicy): boolean {
  return policy.mode === 'DefenseInDepth' && policy.defenseInDepth?.allowViolations === true
}

/** Whether applying the document would change nothing about the profile. Labels that others put there do not count. */
export function isInForce({ metadata, spec }: ProfileDocument, profile: ArmorProfile): boolean {
  const { labels = {}, finalizers = [], ownerReferences } = profile.metadata
  const owners = Array.isArray(ownerReferences) ? (ownerReferences as unknown[]) : []
  return (
    Object.entries(metadata.labels ?? {}).every(([name, value]) => labels[name] === value) &&
    metadata.finalizers.every((finalizer) => finalizers.includes(finalizer)) &&
    metadata.ownerReferences.every((owner) => owners.some((one) => isSubset(owner, one))) &&
    isDeepStrictEqual(spec, profile.spec)
  )
}

const isSubset = (part: object, whole: unknown): boolean =>
  typeof whole === 'object' &&
  whole !== null &&
  Object.entries(part).every(([name, value]) => isDeepStrictEqual((whole as Record<string, unknown>)[name], value))

/** The uid of the policy that controls the ArmorProfile; undefined if none does. */
export function ownerOf(profile: ArmorProfile): { kind: string; name: string; uid: string } | undefined {
  const owners = profile.metadata.ownerReferences
  if (!Array.isArray(owners)) return undefined
  return owners.find((owner) => owner?.controller === true)
}
