import type { Container, Pod, ProfileReference } from '../controllers/types.ts'
import type { NamespaceOption, SecurityProfile } from './cri-types.ts'
import { ConfigError } from './environment.ts'
import { type ContainerSecurity, fieldsOf, type PodSecurity, podFieldsOf } from './pod-fields.ts'

export interface SecurityOptions {
  /** Folder that seccomp profiles of pods are relative to. */
  readonly seccompRoot: string
  /** Whether pods get a network of their own from CNI. */
  readonly ownNetwork: boolean
}

/** CRI's text of an AppArmor profile, which runtimes before containerd 1.7 read; and what newer ones do. */
export interface AppArmorChoice {
  readonly profile: SecurityProfile
  readonly text: string
}

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'

/**
 * The AppArmor profile of a container: its own field, its annotation, then the pod's field; undefined leaves it to the
 * runtime (kubernetes, pkg/security/apparmor, GetProfile).
 * @throws {ConfigError}
 */
export function appArmorOf(pod: Pod, container: Container): AppArmorChoice | undefined {
  const own = fieldsOf(container).securityContext?.appArmorProfile
  const annotation = pod.metadata.annotations?.[`${appArmorAnnotation}${container.name}`]
  if (own !== undefined) return appArmorOfField(own)
  if (annotation !== undefined && annotation !== '') return appArmorOfText(annotation)
  const ofPod = podFieldsOf(pod).securityContext?.appArmorProfile
  return ofPod && appArmorOfField(ofPod)
}

function appArmorOfField({ type, localhostProfile = '' }: ProfileReference): AppArmorChoice {
  if (type === 'RuntimeDefault') return { profile: { profileType: 'RuntimeDefault' }, text: 'runtime/default' }
  if (type === 'Unconfined') return { profile: { profileType: 'Unconfined' }, text: 'unconfined' }
  if (type !== 'Localhost') throw new ConfigError(`appArmorProfile.type ${type} is unknown`)
  if (localhostProfile === '') throw new ConfigError('missing localhost apparmor profile name')
  const profile: SecurityProfile = { profileType: 'Localhost', localhostRef: localhostProfile }
  return { profile, text: `localhost/${localhostProfile}` }
}

function appArmorOfText(text: string): AppArmorChoice {
  if (text === 'runtime/default') return appArmorOfField({ type: 'RuntimeDefault' })
  if (text === 'unconfined') return appArmorOfField({ type: 'Unconfined' })
  if (text.startsWith('localhost/'))
    return appArmorOfField({ type: 'Localhost', localhostProfile: text.slice('localhost/'.length) })
  throw new ConfigError(`invalid AppArmor profile name: ${JSON.stringify(text)}`)
}

/**
 * The seccomp profile of a container: its own field or the pod's, else unconfined. Annotations of it ended with
 * Kubernetes 1.27; here they still count where there is no field, since policies of vArmor for older clusters write them.
 * @throws {ConfigError}
 */
export function seccompOf(pod: Pod, container: Container, { seccompRoot }: SecurityOptions): SecurityProfile {
  const field = fieldsOf(container).securityContext?.seccompProfile ?? podFieldsOf(pod).securityContext?.seccompProfile
  const chosen = field ?? seccompOfAnnotations(pod, container)
  if (chosen?.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' }
  if (chosen?.type !== 'Localhost') return { profileType: 'Unconfined' }
  const { localhostProfile = '' } = chosen
  if (localhostProfile === '')
    throw new ConfigError('localhostProfile must be set if seccompProfile type is Localhost.')
  return { profileType: 'Localhost', localhostRef: `${seccompRoot}/${localhostProfile}` }
}

function seccompOfAnnotations({ metadata }: Pod, { name }: Container): ProfileReference | undefined {
  const text =
    metadata.annotations?.[`container.seccomp.security.alpha.kubernetes.io/${name}`] ??
    metadata.annotations?.['seccomp.security.alpha.kubernetes.io/pod']
  if (text === 'runtime/default' || text === 'docker/default') return { type: 'RuntimeDefault' }
  if (text?.startsWith('localhost/')) return { type: 'Localhost', localhostProfile: text.slice('localhost/'.length) }
  return undefined
}

export function namespacesOf(pod: Pod, { ownNetwork }: SecurityOptions): NamespaceOption {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = podFieldsOf(pod)
  return {
    network: hostNetwork === true || !ownNetwork ? 'NODE' : 'POD',
    pid: hostPID === true ? 'NODE' : shareProcessNamespace === true ? 'POD' : 'CONTAINER',
    ipc: hostIPC === true ? 'NODE' : 'POD',
  }
}

const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** `security_context` of CRI's LinuxContainerConfig. @throws {ConfigError} */
export function securityContextOf(pod: Pod, container: Container, options: SecurityOptions): object {
  const own: ContainerSecurity = fieldsOf(container).securityContext ?? {}
  const ofPod: PodSecurity = podFieldsOf(pod).securityContext ?? {}
  const appArmor = appArmorOf(pod, container)
  const isUnmasked = own.procMount === 'Unmasked'
  return {
    capabilities: {
      addCapabilities: own.capabilities?.add ?? [],
      dropCapabilities: own.capabilities?.drop ?? [],
    },
    privileged: own.privileged ?? false,
    namespaceOptions: namespacesOf(pod, options),
    ...userOf(own, ofPod),
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    supplementalGroups: [...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]), ...(ofPod.supplementalGroups ?? [])],
    // A privileged process, or one with CAP_SYS_ADMIN, always may gain privileges: the API server refuses the rest.
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: isUnmasked ? [] : maskedPaths,
    readonlyPaths: isUnmasked ? [] : readonlyPaths,
    seccomp: seccompOf(pod, container, options),
    ...(appArmor === undefined ? {} : { apparmor: appArmor.profile, apparmorProfile: appArmor.text }),
  }
}

function userOf(own: ContainerSecurity, ofPod: PodSecurity): object {
  const user = own.runAsUser ?? ofPod.runAsUser
  const group = own.runAsGroup ?? ofPod.runAsGroup
  return {
    ...(user === undefined ? {} : { runAsUser: { value: user } }),
    ...(group === undefined ? {} : { runAsGroup: { value: group } }),
  }
}

/**
 * Refuses to run as root what must not.
 * @param imageUser of the image: a number, a name, or empty for root
 * @throws {ConfigError}
 */
export function checkNonRoot(pod: Pod, container: Container, imageUser: { uid?: number; name?: string }): void {
  const own: ContainerSecurity = fieldsOf(container).securityContext ?? {}
  const ofPod: PodSecurity = podFieldsOf(pod).securityContext ?? {}
  if ((own.runAsNonRoot ?? ofPod.runAsNonRoot) !== true) return
  const user = own.runAsUser ?? ofPod.runAsUser
  if (user === 0) throw new ConfigError("container's runAsUser breaks non-root policy")
  if (user !== undefined) return
  if (imageUser.name)
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${imageUser.name}), cannot verify user is non-root`,
    )
  if (!imageUser.uid) throw new ConfigError('container has runAsNonRoot and image will run as root')
}
