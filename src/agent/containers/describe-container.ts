import { confinementPrefixes, localhostPrefix } from '../../api/annotations.ts'
import { ownPrefix } from '../../enforcer/ports.ts'
import type { ProcessFacts } from './process-facts.ts'
import type { NodeContainer, RuntimeContainer, Sandbox } from './runtime.ts'

/** Annotations of a pod that say what protects a container, in the order in which upstream asks them. */
const protectionKeys = [
  confinementPrefixes.bpf,
  confinementPrefixes.kubernetesAppArmor,
  confinementPrefixes.appArmor,
  confinementPrefixes.seccomp,
]

/** Id of the sandbox that a container is in; containerd's CRI part writes it into the OCI spec. */
export const sandboxOf = ({ annotations }: RuntimeContainer): string =>
  annotations['io.kubernetes.cri.sandbox-id'] ?? ''

/** All that is known of a running container. The kubelet's labels come first: they are there without CRI, too. */
export function describeContainer(
  container: RuntimeContainer,
  pid: number,
  facts: ProcessFacts,
  sandbox: Sandbox | undefined,
): NodeContainer {
  const { labels, annotations, appArmorProfile, seccomp } = container
  const containerName = nameOf(container)
  const podAnnotations = sandbox?.annotations ?? {}
  return {
    containerID: container.id,
    containerName,
    image: container.image,
    podName: labels['io.kubernetes.pod.name'] ?? annotations['io.kubernetes.cri.sandbox-name'] ?? sandbox?.name ?? '',
    podNamespace:
      labels['io.kubernetes.pod.namespace'] ??
      annotations['io.kubernetes.cri.sandbox-namespace'] ??
      sandbox?.namespace ??
      '',
    podUID: labels['io.kubernetes.pod.uid'] ?? annotations['io.kubernetes.cri.sandbox-uid'] ?? sandbox?.uid ?? '',
    initPid: pid,
    ...(facts.initStart !== undefined && { initStart: facts.initStart }),
    mntNsID: facts.mntNsID,
    ...(facts.cgroupID !== undefined && { cgroupID: facts.cgroupID }),
    ...(facts.cgroupPath !== undefined && { cgroupPath: facts.cgroupPath }),
    profileName: protectedBy(containerName, podAnnotations) ?? ownProfile(appArmorProfile ?? '') ?? '',
    ...(appArmorProfile !== undefined && { appArmorProfile }),
    sandboxID: sandboxOf(container),
    ...(seccomp !== undefined && { seccomp }),
    podLabels: sandbox?.labels ?? {},
    podAnnotations,
    annotations,
  }
}

/** The kubelet's name of a container, else its runtime's. */
export const nameOf = ({ labels, annotations, name }: Pick<RuntimeContainer, 'labels' | 'annotations' | 'name'>) =>
  labels['io.kubernetes.container.name'] ?? annotations['io.kubernetes.cri.container-name'] ?? name ?? ''

/** Profile that BPF enforces on the container, as the pod's annotations say; empty for none. */
export function bpfProfileOf(containerName: string, podAnnotations: Readonly<Record<string, string>>): string {
  const value = podAnnotations[confinementPrefixes.bpf + containerName] ?? ''
  return value.startsWith(localhostPrefix + ownPrefix) ? value.slice(localhostPrefix.length) : ''
}

/**
 * Profile of ours that the pod's annotations name for the container. Where there is none, AppArmor's profile says it: since
 * Kubernetes 1.30 a field of the pod names it, and no annotation need.
 */
function protectedBy(containerName: string, podAnnotations: Readonly<Record<string, string>>): string | undefined {
  for (const key of protectionKeys) {
    const value = podAnnotations[key + containerName]
    if (value?.startsWith(localhostPrefix + ownPrefix)) return value.slice(localhostPrefix.length)
  }
  return undefined
}

/** All profiles of ours that a pod names, for whichever container. */
export const profilesNamedBy = ({ annotations }: Pick<Sandbox, 'annotations'>): string[] =>
  Object.entries(annotations).flatMap(([key, value]) =>
    protectionKeys.some((prefix) => key.startsWith(prefix)) && value.startsWith(localhostPrefix + ownPrefix)
      ? [value.slice(localhostPrefix.length)]
      : [],
  )

const ownProfile = (name: string): string | undefined => (name.startsWith(ownPrefix) ? name : undefined)
