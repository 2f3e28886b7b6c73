import { madeBy } from '../../src/api/annotations.ts'
import type { Profile } from '../../src/api/types.ts'
import { targetsOf } from '../../src/profile/bpf/egress-targets.ts'
import { type CompiledPolicy, compilePolicy } from '../../src/profile/compile.ts'
import { sourceOf } from '../../src/profile/profile-source.ts'
import type { AnyPolicy, ProfileDocument } from '../ports.ts'
import { bpfContent } from './bpf-content.ts'
import { timeText } from './conditions.ts'
import { type Desired, type DesiredOptions, PROFILE_FINALIZER } from './desired.ts'
import { sizeErrors } from './document-size.ts'
import { leftOutOf } from './left-out-of.ts'
import { idOf, profileIdOf } from './policy-id.ts'

/**
 * The ArmorProfile that a policy must have, or all errors of the policy. Equal input gives equal output. Runs on
 * compilers' threads.
 */
export function desiredProfile(policy: AnyPolicy, options: DesiredOptions): Desired {
  const { installNamespace, profileName, modeling, model, egressControl } = options
  const modelingComplete = modeling.state === 'complete'
  const compiled = compilePolicy(plain(policy), {
    installNamespace,
    ...(profileName !== undefined && { profileName }),
    modelingComplete,
    ...(egressControl !== undefined && { egressControl }),
    ...(model !== undefined && { model }),
  })
  if (!compiled.ok) return compiled
  const document = documentOf(policy, compiled.value, options)
  const errors = sizeErrors(document)
  return errors.length > 0
    ? { ok: false, errors }
    : { ok: true, document, leftOut: leftOutOf(policy, compiled.skipped) }
}

/** The document to apply for a policy that compiles. */
export const documentOf = (policy: AnyPolicy, compiled: CompiledPolicy, options: DesiredOptions): ProfileDocument => ({
  metadata: metadata(policy, options.installNamespace, compiled.profileName),
  spec: spec(policy, compiled, options),
})

/** The policy without its status: an error in the status that we wrote is not the user's error. */
function plain({ apiVersion, kind, metadata: { name, namespace }, spec }: AnyPolicy): unknown {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) }, spec }
}

function metadata(policy: AnyPolicy, installNamespace: string, profileName: string): ProfileDocument['metadata'] {
  const { name, uid = '', labels } = policy.metadata
  return {
    namespace: profileIdOf(idOf(policy), installNamespace).namespace,
    name: profileName,
    labels: { ...labels, [madeBy.key]: madeBy.value },
    finalizers: [PROFILE_FINALIZER],
    ownerReferences: [{ apiVersion: policy.apiVersion, kind: policy.kind, name, uid, controller: true }],
  }
}

function spec(
  policy: AnyPolicy,
  compiled: CompiledPolicy,
  { modeling, model, egressControl }: DesiredOptions,
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
  const recorded =
    modeling.state === 'none'
      ? { duration: 0 }
      : { duration: rules.modelingOptions?.duration ?? 0, since: timeText(modeling.began) }
  const source = sourceOf(rules, model)
  const egressTargets = BPF === undefined ? [] : targetsOf(BPF.profile, egressControl)
  return {
    ...{ target, profile, behaviorModeling: { enable, ...recorded }, updateExistingWorkloads, source },
    ...(egressTargets.length > 0 && { egressTargets }),
  }
}

/** As in upstream, DefenseInDepth has `allowViolations` beside `mode`; EnhanceProtect has it in its rules. */
function letsViolationsPass({ spec: { policy } }: AnyPolicy): boolean {
  return policy.mode === 'DefenseInDepth' && policy.defenseInDepth?.allowViolations === true
}
