import type { KernelEnforcer } from '../api/enforcer.ts'
import { apiVersion } from '../api/schema/common.ts'
import type { EgressAddresses, Policy, ProfileSource } from '../api/types.ts'
import { type CompiledPolicy, compilePolicy } from './compile.ts'
import { type BehaviorModel, type CompileContext, oldestAppArmor } from './context.ts'
import type { Result } from './result.ts'

/** What an ArmorProfile says that its profiles are made of: all that compiling takes besides the node. */
export interface CarriedProfile {
  profileName: string
  enforcer: string
  /** What the workloads do is being recorded. */
  recording: boolean
  source: ProfileSource
  /** Addresses of Services and Pods that the rules mean, as far as the manager has said them. */
  addresses?: readonly EgressAddresses[]
}

/** What each enforcer of a node loads. */
export type Contents = Partial<Record<KernelEnforcer, string>>

/** What of a node decides what is compiled for it. */
export type NodeFacts = Required<Pick<CompileContext, 'appArmor' | 'blockDevices'>> &
  Pick<CompileContext, 'absentHooks' | 'seccompReports'>

/** Compiles for one node, wherever it runs. `namespace`: whose it is. */
export type CompileCarried = (carried: CarriedProfile, namespace: string) => Promise<Result<Contents>>

/** What an ArmorProfile carries of its policy. Of the model, just the parts that the policy builds on. */
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
 * Compiles what an ArmorProfile carries, for a node, with the compilers that the manager compiled the policy with. A
 * field, mode or rule that is not known here is an error that names it, as in a policy: a newer manager may know more.
 */
export function compileCarried(carried: CarriedProfile, node: NodeFacts): Result<Contents> {
  const { profileName, recording, source, addresses = [] } = carried
  const policy = parsed(source.policy)
  if (policy === undefined)
    return { ok: false, errors: [{ code: 'UNPARSABLE', path: 'spec.source.policy', problem: 'this is not JSON' }] }
  // For whom it is, the manager has checked; it makes no difference here.
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

/** On this thread: where no input is hostile. */
export const compileHere =
  (node: NodeFacts = { appArmor: oldestAppArmor, blockDevices: [] }): CompileCarried =>
  async (carried) =>
    compileCarried(carried, node)

/**
 * As texts. Seccomp's text is that of the ArmorProfile, plus the flag that has refusals reported.
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
    // The caller says so: undefined is no JSON.
    return undefined
  }
}
