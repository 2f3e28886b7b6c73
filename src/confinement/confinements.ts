import { optOut } from '../api/annotations.ts'
import type { Enforcer, KernelEnforcer } from '../api/enforcer.ts'
import { meansContainer } from '../api/target-containers.ts'
import type { PolicyMode } from '../api/types.ts'
import { type ConfinementFacts, type Exemption, exemptionOf, unreachable } from './exemption.ts'
import { annotationOf, type ContainerPart, type PodParts } from './pod-parts.ts'
import { isSwitchedOff, keys, localhost, profileOf } from './profile-annotations.ts'
import { runtimeDefault, settingOf } from './setting.ts'

/** The parts of a policy that decide whether it confines a container. */
export interface ConfiningPolicy {
  profile: string
  enforcers: readonly Enforcer[]
  /** Undefined if the policy is being removed: a container then counts as confined in any mode. */
  mode: PolicyMode | undefined
  /** `spec.target.containers`; empty means all containers. */
  containers: readonly string[]
}

/**
 * Why a container that the policy could confine runs without the policy's profile. A restart of its workload gives the
 * container the profile.
 */
export const gaps = [
  /** The pod names no profile for the container. */
  'NotSet',
  /** The pod names another profile, or the runtime's default profile. */
  'OtherProfile',
  /** A manager turned AppArmor off for a BPF profile, before the policy named AppArmor. */
  'ReplacedByBpf',
  /**
   * The Seccomp setting is from an earlier mode of the policy. The mode RuntimeDefault selects the runtime's profile,
   * and the other modes select the policy's profile.
   */
  'OtherMode',
] as const

export type Gap = (typeof gaps)[number]

export interface Confinement {
  container: ContainerPart
  enforcer: KernelEnforcer
  /** `observed`: the profile refuses nothing, because the policy records what the container does. */
  state: 'confined' | 'observed' | 'unconfined'
  /** Why the container is unconfined; otherwise undefined. */
  reason?: Gap | Exemption
}

/**
 * Decides for each targeted container and each kernel enforcer whether the container runs in the policy's profile, as
 * kubelets and agents read the pod. For a pod template, the result is about future pods of the template. The result
 * does not depend on whether the node has loaded the profile.
 */
export function confinementsOf(pod: PodParts, policy: ConfiningPolicy, facts: ConfinementFacts): Confinement[] {
  const kernelEnforcers = policy.enforcers.filter((enforcer) => enforcer !== 'NetworkProxy')
  return targetedContainers(pod, policy.containers, facts).flatMap((container) =>
    kernelEnforcers.map((enforcer) => {
      const { state, reason } = stateOf(pod, container, enforcer, policy, facts)
      return reason === undefined ? { container, enforcer, state } : { container, enforcer, state, reason }
    }),
  )
}

const gapSet: ReadonlySet<string> = new Set(gaps)

/** Whether the policy does not confine the container now, but would confine it after a restart of the workload. */
export const isGap = ({ reason }: Pick<Confinement, 'reason'>): boolean => reason !== undefined && gapSet.has(reason)

/**
 * The containers to confine. If the policy confines a container of the pod, the ephemeral containers are included,
 * because they can access the other containers.
 */
export function targetedContainers(
  { containers }: Pick<PodParts, 'containers'>,
  named: readonly string[],
  { confineInitContainers }: Pick<ConfinementFacts, 'confineInitContainers'>,
): ContainerPart[] {
  const isMeant = (one: ContainerPart): boolean => meansContainer(named, one, confineInitContainers)
  const confinesPod = containers.some((one) => one.role !== 'ephemeral' && isMeant(one))
  return containers.filter((one) => isMeant(one) || (one.role === 'ephemeral' && confinesPod))
}

function stateOf(
  pod: PodParts,
  container: ContainerPart,
  enforcer: KernelEnforcer,
  policy: ConfiningPolicy,
  facts: ConfinementFacts,
): Pick<Confinement, 'state' | 'reason'> {
  const out = unreachable(pod, container, enforcer, facts)
  if (out !== undefined) return { state: 'unconfined', reason: out }
  const setting = settingOf(pod, container, enforcer, facts.appArmorField)
  if (isInProfile(setting, enforcer, policy))
    return { state: policy.mode === 'BehaviorModeling' ? 'observed' : 'confined' }
  const reason = exemptionOf(pod, container, enforcer, facts) ?? gapOf(setting, pod, container, enforcer, policy)
  return { state: 'unconfined', reason }
}

/**
 * In mode RuntimeDefault, the policy's own Seccomp profile allows everything. So only the runtime's profile counts in
 * this mode.
 */
function isInProfile(
  setting: string | undefined,
  enforcer: KernelEnforcer,
  { profile, mode }: Pick<ConfiningPolicy, 'profile' | 'mode'>,
): boolean {
  if (enforcer !== 'Seccomp') return setting === localhost(profile)
  const isDefault = (mode === undefined || mode === 'RuntimeDefault') && setting === runtimeDefault
  return isDefault || (mode !== 'RuntimeDefault' && setting === localhost(profile))
}

function gapOf(
  setting: string | undefined,
  pod: PodParts,
  { name }: ContainerPart,
  enforcer: KernelEnforcer,
  { profile }: ConfiningPolicy,
): Gap {
  if (setting === undefined) return 'NotSet'
  if (enforcer === 'AppArmor' && setting === optOut && isSwitchedOff(annotationOf(pod, keys.appArmor(name))))
    return 'ReplacedByBpf'
  const isOurs = enforcer === 'Seccomp' && profileOf(annotationOf(pod, keys.seccomp(name))) === profile
  return isOurs && (setting === runtimeDefault || setting === localhost(profile)) ? 'OtherMode' : 'OtherProfile'
}
