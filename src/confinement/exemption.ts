import { optOut } from '../api/annotations.ts'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { annotationOf, type ContainerPart, type PodParts } from './pod-parts.ts'
import { isSwitchedOff, keys } from './profile-annotations.ts'

/** Settings and features of the cluster that affect which containers a policy confines. */
export interface ConfinementFacts {
  /** Whether the API server has `securityContext.appArmorProfile` (Kubernetes 1.30). */
  appArmorField: boolean
  /** Whether a policy without container names also targets init containers. */
  confineInitContainers: boolean
  /** Names of RuntimeClasses that run each pod on a separate kernel, such as gVisor and Kata. */
  sandboxedRuntimes: readonly string[]
}

type ServerFacts = Pick<ConfinementFacts, 'appArmorField' | 'sandboxedRuntimes'>

/** Reasons why an enforcer of the node cannot confine the container, even if the pod names a profile. */
const unreachableFor = [
  /** The kubelet reads the pod from a file on the node, and ignores changes of the copy on the API server. */
  'StaticPod',
  'Windows',
  /** The pod runs on a separate kernel, so the kernel of the node does not see the operations of its containers. */
  'SandboxedRuntime',
  /** Runtimes start privileged containers without a Seccomp filter. */
  'Privileged',
] as const

/** Reasons why this enforcer confines the container under no policy, even after a restart of the workload. */
export const exemptions = [...unreachableFor, /** The user exempts the container. */ 'OptedOut'] as const

export type Unreachable = (typeof unreachableFor)[number]
export type Exemption = (typeof exemptions)[number]

/** The reason why this enforcer confines the container under no policy; undefined if a policy can confine it. */
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
 * Users exempt a container with vArmor's annotation, or with the value `Unconfined` in the annotation or the fields of
 * Kubernetes. `Unconfined` for the whole pod counts even if the container has a field, because the manager may have set
 * that field.
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
  // A manager turns AppArmor off when it sets a BPF profile. Then the user did not exempt the container.
  const isOffByUs = isSwitchedOff(own)
  if (!isOffByUs && annotationOf(pod, keys.kubernetesAppArmor(container.name)) === optOut) return true
  const fields = appArmorField ? [pod.pod, ...(isOffByUs ? [] : [container])] : []
  return fields.some(({ appArmorProfile }) => appArmorProfile?.type === 'Unconfined')
}
