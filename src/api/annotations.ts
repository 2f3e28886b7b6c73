/**
 * The annotations by which a pod says what confines each container, followed by the container's name. They are upstream's.
 * The manager writes them, rollouts and agents read them.
 */
export const confinementPrefixes = {
  bpf: 'container.bpf.security.beta.varmor.org/',
  appArmor: 'container.apparmor.security.beta.varmor.org/',
  seccomp: 'container.seccomp.security.beta.varmor.org/',
  /** Kubernetes' own; the only way to set a profile before 1.30, and from there on kept equal to the field by the API server. */
  kubernetesAppArmor: 'container.apparmor.security.beta.kubernetes.io/',
} as const

/** Before the name of a profile that a node has, as Kubernetes writes it. */
export const localhostPrefix = 'localhost/'

/** Before the name of a BPF profile that is to be alone, in the place of the AppArmor annotation: AppArmor was switched off by us, not by the user. */
export const bpfExclusivePrefix = 'bpf-exclusive/'

/** Before the name of a profile that is the runtime's own, which the user had chosen already: the field stays the user's. */
export const chosenDefaultPrefix = 'runtime-default/'

/** The value by which a user keeps a container out. */
export const optOut = 'unconfined'

/** The label of workloads that policies consider, unless a flag says otherwise. */
export const defaultOptIn = { key: 'sandbox.varmor.org/enable', value: 'true' } as const

/** The label of ArmorProfiles that a manager made. Agents load no others, and admission lets only managers write it. */
export const madeBy = { key: 'varmor.org/made-by', value: 'varmor-manager' } as const

/** When the webhook last changed an object, RFC 3339; upstream's name. */
export const mutatedAt = 'webhook.varmor.org/mutatedAt'
