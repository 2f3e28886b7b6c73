import { createHash } from 'node:crypto'
import type { Container, Pod } from '../controllers/types.ts'
import {
  type ContainerConfig,
  containerNameLabel,
  type LinuxResources,
  type Mount,
  type PodSandboxConfig,
  podNameLabel,
  podNamespaceLabel,
  podUidLabel,
  restartCountAnnotation,
  terminationPathAnnotation,
  terminationPolicyAnnotation,
} from './cri-types.ts'
import { expandVariables } from './expand-variables.ts'
import { type ContainerFields, fieldsOf, namespaceOf, podFieldsOf, uidOf } from './pod-fields.ts'
import { namespacesOf, type SecurityOptions, securityContextOf } from './security-context.ts'

export interface RequestOptions extends SecurityOptions {
  /** Where logs of pods are, `/var/log/pods` of a real kubelet. */
  readonly podLogs: string
}

/** Folder of the logs of a pod. */
export const logFolder = (podLogs: string, pod: Pod): string =>
  `${podLogs}/${namespaceOf(pod)}_${pod.metadata.name}_${uidOf(pod)}`

const podLabels = (pod: Pod): Record<string, string> => ({
  [podNameLabel]: pod.metadata.name,
  [podNamespaceLabel]: namespaceOf(pod),
  [podUidLabel]: uidOf(pod),
})

/** What CRI is asked to make the sandbox of a pod from (kubernetes, pkg/kubelet/kuberuntime/kuberuntime_sandbox.go). */
export function sandboxConfig(pod: Pod, attempt: number, options: RequestOptions): PodSandboxConfig {
  const { hostNetwork, hostname, securityContext = {} } = podFieldsOf(pod)
  const { runAsUser, runAsGroup, fsGroup, supplementalGroups = [], sysctls = [] } = securityContext
  const isOnHost = hostNetwork === true || !options.ownNetwork
  return {
    metadata: { name: pod.metadata.name, namespace: namespaceOf(pod), uid: uidOf(pod), attempt },
    // On the node's network it has the node's name, as a real kubelet's.
    ...(isOnHost ? {} : { hostname: hostname ?? pod.metadata.name }),
    logDirectory: logFolder(options.podLogs, pod),
    labels: { ...pod.metadata.labels, ...podLabels(pod) },
    annotations: { ...pod.metadata.annotations },
    linux: {
      sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value])),
      securityContext: {
        privileged: hasPrivileged(pod),
        namespaceOptions: namespacesOf(pod, options),
        seccomp: { profileType: 'RuntimeDefault' },
        ...(runAsUser === undefined ? {} : { runAsUser: { value: runAsUser } }),
        ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
        supplementalGroups: [...(fsGroup === undefined ? [] : [fsGroup]), ...supplementalGroups],
      },
    },
  }
}

const hasPrivileged = ({ spec }: Pod): boolean =>
  [...(spec.initContainers ?? []), ...spec.containers].some(({ securityContext }) => securityContext?.privileged)

export interface ContainerParts {
  /** How often the container was started before. */
  readonly attempt: number
  /** Reference of the image in the runtime. */
  readonly imageRef: string
  readonly environment: ReadonlyMap<string, string>
  readonly mounts: readonly Mount[]
  readonly resources: LinuxResources
}

/**
 * What CRI is asked to make a container from (kubernetes, pkg/kubelet/kuberuntime/kuberuntime_container.go).
 * @throws {ConfigError}
 */
export function containerConfig(
  pod: Pod,
  container: Container,
  parts: ContainerParts,
  options: RequestOptions,
): ContainerConfig {
  const fields = fieldsOf(container)
  const { attempt, environment } = parts
  const expanded = (words: readonly string[] = []): string[] => words.map((word) => expandVariables(word, environment))
  return {
    metadata: { name: container.name, attempt },
    image: { image: parts.imageRef, ...(fields.image === undefined ? {} : { userSpecifiedImage: fields.image }) },
    command: expanded(fields.command),
    args: expanded(fields.args),
    workingDir: fields.workingDir ?? '',
    envs: Array.from(environment, ([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: parts.mounts,
    labels: { ...podLabels(pod), [containerNameLabel]: container.name },
    annotations: annotationsOf(pod, fields, attempt),
    logPath: `${container.name}/${attempt}.log`,
    stdin: fields.stdin ?? false,
    stdinOnce: fields.stdinOnce ?? false,
    tty: fields.tty ?? false,
    linux: { resources: parts.resources, securityContext: securityContextOf(pod, container, options) },
  }
}

function annotationsOf(pod: Pod, fields: ContainerFields, attempt: number): Record<string, string> {
  const { terminationMessagePath = '', terminationMessagePolicy = '', lifecycle, ports = [] } = fields
  const { deletionGracePeriodSeconds: deletion } = pod.metadata
  const { terminationGracePeriodSeconds: termination } = podFieldsOf(pod)
  const about = 'io.kubernetes'
  return {
    [`${about}.container.hash`]: hashOf(fields),
    [restartCountAnnotation]: String(attempt),
    [terminationPathAnnotation]: terminationMessagePath,
    [terminationPolicyAnnotation]: terminationMessagePolicy,
    ...(deletion === undefined ? {} : { [`${about}.pod.deletionGracePeriod`]: String(deletion) }),
    ...(termination === undefined ? {} : { [`${about}.pod.terminationGracePeriod`]: String(termination) }),
    ...(lifecycle?.preStop && { [`${about}.container.preStopHandler`]: JSON.stringify(lifecycle.preStop) }),
    ...(ports.length > 0 && { [`${about}.container.ports`]: JSON.stringify(ports) }),
  }
}

/** Another one for another spec, in the real kubelet's form of 32 bits; the value is our own. */
const hashOf = (fields: ContainerFields): string =>
  createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 8)
