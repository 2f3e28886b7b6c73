import { confinementPrefixes, localhostPrefix } from '../../api/annotations.ts'
import { ownPrefix } from '../../enforcer/ports.ts'
import type { ProcessFacts } from './process-facts.ts'
import type { NodeContainer, RuntimeContainer, Sandbox } from './runtime.ts'

/** Pod annotations that name a container's profile, in upstream's order. */
const protectionKeys = [
  confinementPrefixes.bpf,
  confinementPrefixes.kubernetesAppArmor,
  confinementPrefixes.appArmor,
  confinementPrefixes.seccomp,
]

/**
 * Prefix of the annotations that containerd's CRI plugin writes into the OCI spec to describe the pod and the
 * container.
 */
const cri = 'io.kubernetes.cri.'

/** containerd's namespace for the containers of its CRI plugin. */
export const podNamespace = 'k8s.io'

/**
 * The id of a container's sandbox; empty for a container without a pod. CRI writes the id into the OCI spec, which an
 * image cannot change. Labels are not reliable, because a container also has the labels of its image.
 */
export const sandboxOf = ({ annotations, namespace = podNamespace }: Identified): string =>
  namespace === podNamespace ? (annotations[`${cri}sandbox-id`] ?? '') : ''

type Identified = Pick<RuntimeContainer, 'labels' | 'annotations' | 'name' | 'namespace'>

/** Everything that is known about a running container. */
export function describeContainer(
  container: RuntimeContainer,
  pid: number,
  facts: ProcessFacts,
  sandbox: Sandbox | undefined,
): NodeContainer {
  const { annotations, appArmorProfile, seccomp, refusedCalls } = container
  const containerName = nameOf(container)
  const podAnnotations = sandbox?.annotations ?? {}
  return {
    containerID: container.id,
    containerName,
    image: container.image,
    podName: saidOfPod(container, 'sandbox-name', sandbox?.name, 'pod.name'),
    podNamespace: saidOfPod(container, 'sandbox-namespace', sandbox?.namespace, 'pod.namespace'),
    podUID: saidOfPod(container, 'sandbox-uid', sandbox?.uid, 'pod.uid'),
    initPid: pid,
    ...(facts.initStart !== undefined && { initStart: facts.initStart }),
    mntNsID: facts.mntNsID,
    ...(facts.cgroupID !== undefined && { cgroupID: facts.cgroupID }),
    ...(facts.cgroupPath !== undefined && { cgroupPath: facts.cgroupPath }),
    profileName: protectedBy(containerName, podAnnotations) ?? ownProfile(appArmorProfile ?? '') ?? '',
    ...(appArmorProfile !== undefined && { appArmorProfile }),
    ...(refusedCalls !== undefined && { refusedCalls }),
    sandboxID: sandboxOf(container),
    ...(seccomp !== undefined && { seccomp }),
    podLabels: sandbox?.labels ?? {},
    podAnnotations,
    annotations,
  }
}

/** The container's name in its pod, or else its name in the runtime. */
export const nameOf = (container: Identified): string =>
  saidOfPod(container, 'container-name', undefined, 'container.name') || (container.name ?? '')

/**
 * The value of CRI's annotation, or else of the pod. The kubelet's label is the last choice, and counts only for
 * containers of pods.
 */
function saidOfPod(container: Identified, annotation: string, pod: string | undefined, label: string): string {
  if (sandboxOf(container) === '') return pod ?? ''
  return container.annotations[cri + annotation] || pod || (container.labels[`io.kubernetes.${label}`] ?? '')
}

/** The profile that BPF enforces on the container, from the pod's annotations; empty if there is none. */
export function bpfProfileOf(containerName: string, podAnnotations: Readonly<Record<string, string>>): string {
  const value = podAnnotations[confinementPrefixes.bpf + containerName] ?? ''
  return value.startsWith(localhostPrefix + ownPrefix) ? value.slice(localhostPrefix.length) : ''
}

/**
 * The vArmor profile that the pod's annotations name for the container. Since Kubernetes 1.30 a pod may name the
 * profile in a field instead of an annotation; then the AppArmor profile of the container's process shows the name.
 */
function protectedBy(containerName: string, podAnnotations: Readonly<Record<string, string>>): string | undefined {
  for (const key of protectionKeys) {
    const value = podAnnotations[key + containerName]
    if (value?.startsWith(localhostPrefix + ownPrefix)) return value.slice(localhostPrefix.length)
  }
  return undefined
}

/** All vArmor profiles that a pod names, for any of its containers. */
export const profilesNamedBy = ({ annotations }: Pick<Sandbox, 'annotations'>): string[] =>
  Object.entries(annotations).flatMap(([key, value]) =>
    protectionKeys.some((prefix) => key.startsWith(prefix)) && value.startsWith(localhostPrefix + ownPrefix)
      ? [value.slice(localhostPrefix.length)]
      : [],
  )

const ownProfile = (name: string): string | undefined => (name.startsWith(ownPrefix) ? name : undefined)
