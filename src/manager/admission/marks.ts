/**
 * The annotations by which a pod says what confines each container. `localhost/<profile>` is written by the webhook and makes
 * the setting beside it ours, to change and to take back; `unconfined` is written by the user and opts the container out.
 */
export const marks = {
  bpf: (container: string) => `container.bpf.security.beta.varmor.org/${container}`,
  appArmor: (container: string) => `container.apparmor.security.beta.varmor.org/${container}`,
  seccomp: (container: string) => `container.seccomp.security.beta.varmor.org/${container}`,
  /** Kubernetes' own; the only way to set a profile before 1.30, and from there on kept equal to the field by the API server. */
  kubernetesAppArmor: (container: string) => `container.apparmor.security.beta.kubernetes.io/${container}`,
} as const

export const optOut = 'unconfined'

/** When the webhook last changed an object, RFC 3339; upstream's name. */
export const mutatedAt = 'webhook.varmor.org/mutatedAt'

const local = 'localhost/'
const freed = 'bpf-exclusive/'
const ours = 'varmor-'

export const localMark = (profile: string): string => local + profile

/** In the place of the AppArmor mark: AppArmor was switched off by us because this BPF profile is to be alone, not by the user. */
export const freedMark = (profile: string): string => freed + profile

/** The profile of ours that a mark names, if it names one. */
export function profileOfMark(mark: string | undefined): string | undefined {
  for (const prefix of [local, freed]) if (mark?.startsWith(prefix + ours)) return mark.slice(prefix.length)
  return undefined
}

export const isFreedMark = (mark: string | undefined): boolean => mark?.startsWith(freed) ?? false

const prefixes = Object.values(marks).map((mark) => mark(''))

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
