/**
 * Prefixes of the annotations that name the profile of a container; the container's name follows the prefix. The names
 * are upstream's. The manager writes the annotations; rollouts and agents read them.
 */
export const confinementPrefixes = {
  bpf: 'container.bpf.security.beta.varmor.org/',
  appArmor: 'container.apparmor.security.beta.varmor.org/',
  seccomp: 'container.seccomp.security.beta.varmor.org/',
  /**
   * Prefix of Kubernetes' own AppArmor annotation. Before Kubernetes 1.30, only this annotation sets a profile; since
   * 1.30, the API server keeps this annotation equal to the field.
   */
  kubernetesAppArmor: 'container.apparmor.security.beta.kubernetes.io/',
} as const

/** Prefix that Kubernetes puts before the name of a profile on the node. */
export const localhostPrefix = 'localhost/'

/**
 * Prefix before the name of a BPF profile that replaces AppArmor. This prefix shows that vArmor, and not the user,
 * switched AppArmor off.
 */
export const bpfExclusivePrefix = 'bpf-exclusive/'

/**
 * Prefix before the name of a profile. This prefix shows that the user had already chosen the runtime's default
 * profile, so vArmor does not change the field.
 */
export const chosenDefaultPrefix = 'runtime-default/'

/** The value of the annotation with which a user exempts a container. */
export const optOut = 'unconfined'

/** The default label of workloads that policies consider; a flag can set another label. */
export const defaultOptIn = { key: 'sandbox.varmor.org/enable', value: 'true' } as const

/**
 * The label of ArmorProfiles that a manager created. Agents load only ArmorProfiles with this label, and admission lets
 * only managers set it.
 */
export const madeBy = { key: 'varmor.org/made-by', value: 'varmor-manager' } as const

/** The annotation for the time at which the webhook last changed an object, RFC 3339. The name is upstream's. */
export const mutatedAt = 'webhook.varmor.org/mutatedAt'
