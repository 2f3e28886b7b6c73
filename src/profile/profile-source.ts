import type { KernelEnforcer } from '../api/enforcer.ts'
import { apiVersion } from '../api/schema/common.ts'
import type { EgressAddresses, Policy, ProfileSource } from '../api/types.ts'
import { type CompiledPolicy, compilePolicy } from './compile.ts'
import { type BehaviorModel, type CompileContext, oldestAppArmor } from './context.ts'
import type { Result } from './result.ts'

/** The sources of an ArmorProfile's profiles: the input of a compilation, without the facts about the node. */
export interface CarriedProfile {
  profileName: string
  enforcer: string
  /** Whether the workloads are being recorded. */
  recording: boolean
  source: ProfileSource
  /** Known addresses of Services and Pods that the rules refer to. */
  addresses?: readonly EgressAddresses[]
}

/** What each enforcer of a node loads. */
export type Contents = Partial<Record<KernelEnforcer, string>>

/** The facts about a node that change its compiled profiles. */
export type NodeFacts = Required<Pick<CompileContext, 'appArmor' | 'blockDevices'>> &
  Pick<CompileContext, 'absentHooks' | 'seccompReports'>

/** Compiles for one node, in this thread or another. `namespace`: the namespace of the ArmorProfile. */
export type CompileCarried = (carried: CarriedProfile, namespace: string) => Promise<Result<Contents>>

/** The sources that an ArmorProfile contains: the policy, and the parts of the model that the policy uses. */
export function sourceOf(policy: Policy, model: BehaviorModel = {}): ProfileSource {
  const { appArmor, seccomp, bpf } = policy.defenseInDepth ?? {}
  const used: BehaviorModel = {
    ...(appArmor?.profileType === 'BehaviorModel' && model.appArmor !== undefined && { appArmor: model.appArmor }),
    ...(seccomp?.profileType === 'BehaviorModel' && model.seccomp !== undefined && { seccomp: model.seccomp }),
    ...(bpf?.profileType === 'BehaviorModel' && model.bpf !== undefined && { bpf: model.bpf }),
  }
  return { policy: JSON.stringify(policy), ...(Object.keys(used).length > 0 && { model: used }) }
}

/**
 * Compiles the sources of an ArmorProfile for a node, with the manager's compilers. An unknown field, mode or rule is
 * an error that names it, as in a policy, because a newer manager may know more.
 */
export function compileCarried(carried: CarriedProfile, node: NodeFacts): Result<Contents> {
  const { profileName, recording, source, addresses = [] } = carried
  const policy = parsed(source.policy)
  if (policy === undefined)
    return { ok: false, errors: [{ code: 'UNPARSABLE', path: 'spec.source.policy', problem: 'this is not JSON' }] }
  // The manager has checked the target; it does not matter here.
  const target = { kind: 'Pod', name: 'any' }
  const object = { apiVersion, kind: 'VarmorPolicy', metadata: { name: 'carried' }, spec: { target, policy } }
  const { model } = source
  const compiled = compilePolicy(object, {
    ...node,
    profileName,
    addresses,
    modelingComplete: !recording,
    ...(model !== undefined && { model }),
  })
  if (!compiled.ok) return compiled
  return { ok: true, value: contentsOf(compiled.value), skipped: compiled.skipped }
}

/** Compiles on this thread, for input that cannot be hostile. */
export const compileHere =
  (node: NodeFacts = { appArmor: oldestAppArmor, blockDevices: [] }): CompileCarried =>
  async (carried) =>
    compileCarried(carried, node)

/**
 * The profiles as texts. Seccomp's text may have a flag for reports that the text in the ArmorProfile does not have.
 */
function contentsOf({ enforcers: { AppArmor, BPF, Seccomp } }: CompiledPolicy): Contents {
  return {
    ...(AppArmor !== undefined && { AppArmor: AppArmor.profile }),
    ...(BPF !== undefined && { BPF: JSON.stringify(BPF.profile) }),
    ...(Seccomp !== undefined && { Seccomp: JSON.stringify(Seccomp.profile) }),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller reports the error.
    return undefined
  }
}
