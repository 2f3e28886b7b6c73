import { bpfExclusivePrefix, chosenDefaultPrefix, confinementPrefixes, localhostPrefix } from '../api/annotations.ts'
import type { ProfileField } from './pod-parts.ts'

/**
 * The keys of a container's annotations. `localhost/<profile>` is from the webhook: it shows that we may change and
 * remove the field of the container. `unconfined` is from the user: it opts the container out.
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

/** Our profile in an annotation, if it names one. */
export function profileOf(annotation: string | undefined): string | undefined {
  for (const prefix of [localhostPrefix, bpfExclusivePrefix, chosenDefaultPrefix])
    if (annotation?.startsWith(prefix + ours)) return annotation.slice(prefix.length)
  return undefined
}

/** Our profile in a field, if it names one. */
export function profileOfField({ type, localhostProfile }: ProfileField = {}): string | undefined {
  const isOurs = type === 'Localhost' && typeof localhostProfile === 'string' && localhostProfile.startsWith(ours)
  return isOurs ? localhostProfile : undefined
}

export const isSwitchedOff = (annotation: string | undefined): boolean =>
  annotation?.startsWith(bpfExclusivePrefix) ?? false

export const isChosenDefault = (annotation: string | undefined): boolean =>
  annotation?.startsWith(chosenDefaultPrefix) ?? false

const prefixes = Object.values(confinementPrefixes)

/** The container that an annotation about confinement is for; undefined for other annotations. */
export function containerOf(key: string): string | undefined {
  const prefix = prefixes.find((each) => key.startsWith(each))
  return prefix === undefined ? undefined : key.slice(prefix.length)
}

/**
 * Our annotations for containers that the pod no longer has. If such an annotation is Kubernetes' own AppArmor
 * annotation, the API server refuses the pod.
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
