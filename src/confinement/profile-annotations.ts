import { bpfExclusivePrefix, chosenDefaultPrefix, confinementPrefixes, localhostPrefix } from '../api/annotations.ts'
import type { ProfileField } from './pod-parts.ts'

/**
 * The keys of a container's annotations. The webhook writes `localhost/<profile>`, which shows that vArmor may change
 * and remove the field of the container. The user writes `unconfined` to exempt the container.
 */
export const keys = {
  bpf: (container: string) => confinementPrefixes.bpf + container,
  appArmor: (container: string) => confinementPrefixes.appArmor + container,
  seccomp: (container: string) => confinementPrefixes.seccomp + container,
  kubernetesAppArmor: (container: string) => confinementPrefixes.kubernetesAppArmor + container,
} as const

const ours = 'varmor-'

export const localhost = (profile: string): string => localhostPrefix + profile

export const switchedOff = (profile: string): string => bpfExclusivePrefix + profile

export const chosenDefault = (profile: string): string => chosenDefaultPrefix + profile

/** The name of vArmor's profile in an annotation; undefined if the annotation does not name a profile. */
export function profileOf(annotation: string | undefined): string | undefined {
  for (const prefix of [localhostPrefix, bpfExclusivePrefix, chosenDefaultPrefix])
    if (annotation?.startsWith(prefix + ours)) return annotation.slice(prefix.length)
  return undefined
}

/** The name of vArmor's profile in a field; undefined if the field does not name a profile. */
export function profileOfField({ type, localhostProfile }: ProfileField = {}): string | undefined {
  const isOurs = type === 'Localhost' && typeof localhostProfile === 'string' && localhostProfile.startsWith(ours)
  return isOurs ? localhostProfile : undefined
}

export const isSwitchedOff = (annotation: string | undefined): boolean =>
  annotation?.startsWith(bpfExclusivePrefix) ?? false

export const isChosenDefault = (annotation: string | undefined): boolean =>
  annotation?.startsWith(chosenDefaultPrefix) ?? false

const prefixes = Object.values(confinementPrefixes)

/** The name of the container to which an annotation about confinement applies; undefined for other annotations. */
export function containerOf(key: string): string | undefined {
  const prefix = prefixes.find((each) => key.startsWith(each))
  return prefix === undefined ? undefined : key.slice(prefix.length)
}

/**
 * Annotations about confinement of containers that the pod no longer has. The API server refuses a pod with such an
 * AppArmor annotation of Kubernetes.
 */
export function orphanedKeys(annotations: Readonly<Record<string, string>>, containers: ReadonlySet<string>): string[] {
  return Object.keys(annotations).filter((key) => {
    const container = containerOf(key)
    if (container === undefined || containers.has(container)) return false
    const switchedOffByUs =
      key === keys.kubernetesAppArmor(container) && isSwitchedOff(annotations[keys.appArmor(container)])
    return switchedOffByUs || profileOf(annotations[key]) !== undefined
  })
}
