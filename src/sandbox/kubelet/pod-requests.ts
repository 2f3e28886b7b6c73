import type { V1SecurityContext } from '@kubernetes/client-node'
import type { Container, Pod } from '../controllers/objects.ts'
import { confinementOf } from '../nodes/confinement.ts'
import { type CriImage, containerNameLabel, type Mount, podNameLabel, podNamespaceLabel, podUidLabel } from './cri.ts'
import { expandVariables } from './environment.ts'
import { ConfigError } from './pod-objects.ts'

export interface RequestOptions {
  /** Folder for logs of pods. A real kubelet uses `/var/log/pods`. */
  readonly podLogs: string
  /** Folder with the seccomp profiles to which pods refer by relative paths. */
  readonly seccompRoot: string
  /** Whether CNI gives each pod its own network. */
  readonly ownNetwork: boolean
}

/** Folder of a pod's logs. */
export const logFolder = (podLogs: string, { metadata: { namespace, name, uid } }: Pod): string =>
  `${podLogs}/${namespace}_${name}_${uid}`

const podLabels = ({ metadata: { name, namespace, uid } }: Pod): Record<string, string> => ({
  [podNameLabel]: name,
  [podNamespaceLabel]: namespace,
  [podUidLabel]: uid,
})

/** The configuration of a pod's sandbox, for CRI. */
export function sandboxConfig(pod: Pod, attempt: number, options: RequestOptions) {
  const { metadata, spec } = pod
  const { name, namespace, uid } = metadata
  const { sysctls = [] } = spec.securityContext ?? {}
  const namespaceOptions = namespacesOf(pod, options)
  return {
    metadata: { name, namespace, uid, attempt },
    // As in a real kubelet, a pod that uses the node's network has the node's host name.
    ...(namespaceOptions.network === 'POD' && { hostname: spec.hostname ?? name }),
    logDirectory: logFolder(options.podLogs, pod),
    labels: { ...metadata.labels, ...podLabels(pod) },
    annotations: { ...metadata.annotations },
    linux: {
      sysctls: Object.fromEntries(sysctls.map((one) => [one.name, one.value])),
      securityContext: {
        privileged: [...(spec.initContainers ?? []), ...spec.containers].some((one) => one.securityContext?.privileged),
        namespaceOptions,
        seccomp: { profileType: 'RuntimeDefault' },
        ...identityOf(pod, {}),
      },
    },
  }
}

export type PodSandboxConfig = ReturnType<typeof sandboxConfig>
export type ContainerConfig = ReturnType<typeof containerConfig>

export interface ContainerParts {
  /** Number of earlier starts of the container. */
  readonly attempt: number
  readonly image: CriImage
  readonly environment: ReadonlyMap<string, string>
  readonly mounts: readonly Mount[]
}

/** The configuration of a container for CRI, without resource limits. @throws {ConfigError} */
export function containerConfig(
  pod: Pod,
  container: Container,
  { attempt, image, environment, mounts }: ContainerParts,
  options: RequestOptions,
) {
  const { name, workingDir = '', stdin = false, tty = false } = container
  const expanded = (words: readonly string[] = []): string[] => words.map((word) => expandVariables(word, environment))
  return {
    metadata: { name, attempt },
    image: { image: image.id, userSpecifiedImage: container.image ?? '' },
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir,
    envs: Array.from(environment, ([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts,
    labels: { ...podLabels(pod), [containerNameLabel]: name },
    logPath: `${name}/${attempt}.log`,
    ...{ stdin, tty },
    linux: { resources: {}, securityContext: securityContextOf(pod, container, image, options) },
  }
}

function namespacesOf({ spec }: Pod, { ownNetwork }: RequestOptions) {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = spec
  return {
    network: hostNetwork || !ownNetwork ? 'NODE' : 'POD',
    pid: hostPID ? 'NODE' : shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: hostIPC ? 'NODE' : 'POD',
  }
}

/** The user and groups under which processes run. */
function identityOf({ spec: { securityContext: ofPod = {} } }: Pod, own: V1SecurityContext): object {
  const user = own.runAsUser ?? ofPod.runAsUser
  const group = own.runAsGroup ?? ofPod.runAsGroup
  return {
    ...(user !== undefined && { runAsUser: { value: user } }),
    ...(group !== undefined && { runAsGroup: { value: group } }),
    supplementalGroups: [...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]), ...(ofPod.supplementalGroups ?? [])],
  }
}

const sysPaths = ['/sys/firmware', '/sys/devices/virtual/powercap']
const procPaths = ['asound', 'acpi', 'interrupts', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats']
const maskedPaths = [...procPaths, 'sched_debug', 'scsi'].map((name) => `/proc/${name}`).concat(sysPaths)
const readonlyPaths = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`)

function securityContextOf(pod: Pod, container: Container, image: CriImage, options: RequestOptions): object {
  const own = container.securityContext ?? {}
  checkNonRoot(pod, own, image)
  const { appArmor, seccomp } = confinementOf(pod, container)
  const isUnmasked = own.procMount === 'Unmasked'
  return {
    capabilities: {
      addCapabilities: own.capabilities?.add ?? [],
      dropCapabilities: own.capabilities?.drop ?? [],
    },
    privileged: own.privileged ?? false,
    namespaceOptions: namespacesOf(pod, options),
    ...identityOf(pod, own),
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: isUnmasked ? [] : maskedPaths,
    readonlyPaths: isUnmasked ? [] : readonlyPaths,
    seccomp: profileOf('seccomp', seccomp || 'unconfined', `${options.seccompRoot}/`),
    // Runtimes before containerd 1.7 read the profile from this field.
    ...(appArmor !== '' && { apparmor: profileOf('AppArmor', appArmor), apparmorProfile: appArmor }),
  }
}

/** A profile in CRI's form. @throws {ConfigError} */
function profileOf(what: string, text: string, root = ''): object {
  if (text === 'runtime/default') return { profileType: 'RuntimeDefault' }
  if (text === 'unconfined') return { profileType: 'Unconfined' }
  const [, name = ''] = /^localhost\/(.+)$/.exec(text) ?? []
  if (name === '') throw new ConfigError(`${JSON.stringify(text)} is not a valid ${what} profile`)
  return { profileType: 'Localhost', localhostRef: `${root}${name}` }
}

/** Refuses a container that would run as root although its pod forbids this. @throws {ConfigError} */
function checkNonRoot({ spec: { securityContext: ofPod = {} } }: Pod, own: V1SecurityContext, image: CriImage): void {
  if ((own.runAsNonRoot ?? ofPod.runAsNonRoot) !== true) return
  const user = own.runAsUser ?? ofPod.runAsUser ?? Number(image.uid?.value ?? 0)
  if (user === 0)
    throw new ConfigError('runAsNonRoot: the container would run as root, or as a user whose id is unknown')
}
