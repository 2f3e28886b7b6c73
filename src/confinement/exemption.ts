import { optOut } from '../api/annotations.ts'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { annotationOf, type ContainerPart, type PodParts } from './pod-parts.ts'
import { isSwitchedOff, keys } from './profile-annotations.ts'

/** What the confinement of a pod depends on, besides the pod and the policy. */
export interface ConfinementFacts {
  /** Whether the API server has `securityContext.appArmorProfile` (Kubernetes 1.30). */
  appArmorField: boolean
  /** Whether a policy without container names also targets init containers. */
  confineInitContainers: boolean
  /** Names of RuntimeClasses with a kernel of their own, such as gVisor and Kata. */
  sandboxedRuntimes: readonly string[]
}

type ServerFacts = Pick<ConfinementFacts, 'appArmorField' | 'sandboxedRuntimes'>

/** Why an enforcer of the node does not act on the container, whatever profile the pod names. */
const unreachableFor = [
  /** The kubelet runs the pod by a file on its node, and ignores changes of the copy on the API server. */
  'StaticPod',
  'Windows',
  /** The pod has a kernel of its own: the kernel of the node does not see what its containers do. */
  'SandboxedRuntime',
  /** Runtimes start privileged containers without a Seccomp filter. */
  'Privileged',
] as const

/** Why no policy confines the container at this enforcer. Neither admission nor a restart changes this. */
export const exemptions = [...unreachableFor, /** The user wants no profile. */ 'OptedOut'] as const

export type Unreachable = (typeof unreachableFor)[number]
export type Exemption = (typeof exemptions)[number]

/** Why no policy confines the container at this enforcer; undefined if a policy may. */
export const exemptionOf = (
  pod: PodParts,
  container: ContainerPart,
  enforcer: KernelEnforcer,
  facts: ServerFacts,
): Exemption | undefined =>
  unreachable(pod, container, enforcer, facts) ?? (isOptedOut(pod, container, enforcer, facts) ? 'OptedOut' : undefined)

export function unreachable(
  pod: PodParts,
  container: ContainerPart,
  enforcer: KernelEnforcer,
  { sandboxedRuntimes }: Pick<ConfinementFacts, 'sandboxedRuntimes'>,
): Unreachable | undefined {
  if (pod.isMirror) return 'StaticPod'
  if (pod.windows) return 'Windows'
  if (pod.runtimeClass !== undefined && sandboxedRuntimes.includes(pod.runtimeClass)) return 'SandboxedRuntime'
  return enforcer === 'Seccomp' && container.privileged ? 'Privileged' : undefined
}

const ownKey = { AppArmor: keys.appArmor, BPF: keys.bpf, Seccomp: keys.seccomp } as const

/**
 * Users opt a container out by vArmor's annotation, or as they do without vArmor. `Unconfined` for the whole pod counts
 * even if the container has a field, because that field may be ours.
 */
function isOptedOut(
  pod: PodParts,
  container: ContainerPart,
  enforcer: KernelEnforcer,
  { appArmorField }: ServerFacts,
): boolean {
  const own = annotationOf(pod, ownKey[enforcer](container.name))
  if (own === optOut) return true
  if (enforcer === 'BPF') return false
  if (enforcer === 'Seccomp')
    return [container, pod.pod].some(({ seccompProfile }) => seccompProfile?.type === 'Unconfined')
  // A manager turns AppArmor off when it sets a BPF profile; the user did not choose this.
  const isOffByUs = isSwitchedOff(own)
  if (!isOffByUs && annotationOf(pod, keys.kubernetesAppArmor(container.name)) === optOut) return true
  const fields = appArmorField ? [pod.pod, ...(isOffByUs ? [] : [container])] : []
  return fields.some(({ appArmorProfile }) => appArmorProfile?.type === 'Unconfined')
}
