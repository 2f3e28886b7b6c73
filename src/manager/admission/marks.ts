import { confinementPrefixes, localhostPrefix } from '../../api/annotations.ts'

/**
 * The annotation of a container. `localhost/<profile>` is written by the webhook and makes the setting beside it ours, to
 * change and to take back; `unconfined` is written by the user and opts the container out.
 */
export const marks = {
  bpf: (container: string) => confinementPrefixes.bpf + container,
  appArmor: (container: string) => confinementPrefixes.appArmor + container,
  seccomp: (container: string) => confinementPrefixes.seccomp + container,
  kubernetesAppArmor: (container: string) => confinementPrefixes.kubernetesAppArmor + container,
} as const

const freed = 'bpf-exclusive/'
const ours = 'varmor-'

export const localMark = (profile: string): string => localhostPrefix + profile

/** In the place of the AppArmor mark: AppArmor was switched off by us because this BPF profile is to be alone, not by the user. */
export const freedMark = (profile: string): string => freed + profile

/** The profile of ours that a mark names, if it names one. */
export function profileOfMark(mark: string | undefined): string | undefined {
  for (const prefix of [localhostPrefix, freed]) if (mark?.startsWith(prefix + ours)) return mark.slice(prefix.length)
  return undefined
}

export const isFreedMark = (mark: string | undefined): boolean => mark?.startsWith(freed) ?? false

const prefixes = Object.values(confinementPrefixes)

/** Marks of ours for containers that the pod does not have any more. Before 1.30 the API server refuses a pod with such a one. */
export function orphanedMarks(
  annotations: Readonly<Record<string, string>>,
  containers: ReadonlySet<string>,
): string[] {
  return Object.keys(annotations).filter((key) => {
    const prefix = prefixes.find((each) => key.startsWith(each))
    if (prefix === undefined || containers.has(key.slice(prefix.length))) return false
    return profileOfMark(annotations[key]) !== undefined
  })
}
