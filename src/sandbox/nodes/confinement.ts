import type { Container, Pod } from '../controllers/objects.ts'

/** The confinement of a container, as its pod requests it. */
export interface Confinement {
  /** `localhost/<profile>`, `runtime/default`, `unconfined`, or empty if unset. */
  readonly appArmor: string
  /** The seccomp profile, in the same form as `appArmor`. */
  readonly seccomp: string
  /** The value of the annotation for the BPF enforcer; empty without the annotation. */
  readonly bpf: string
}

/**
 * The confinement of a container. The container's own field takes precedence, then its annotation (which clusters
 * before Kubernetes 1.30 read), then the pod's field. A privileged container never has a seccomp profile.
 */
export function confinementOf(pod: Pod, container: Container): Confinement {
  const own = container.securityContext
  const ofPod = pod.spec.securityContext
  const annotation = (kind: string): string => pod.metadata.annotations?.[`container.${kind}/${container.name}`] ?? ''
  return {
    appArmor:
      textOf(own?.appArmorProfile) ||
      annotation('apparmor.security.beta.kubernetes.io') ||
      textOf(ofPod?.appArmorProfile),
    seccomp: own?.privileged ? '' : textOf(own?.seccompProfile ?? ofPod?.seccompProfile),
    bpf: annotation('bpf.security.beta.varmor.org'),
  }
}

function textOf(profile: { type: string; localhostProfile?: string } | undefined): string {
  if (profile === undefined) return ''
  if (profile.type === 'Localhost') return `localhost/${profile.localhostProfile ?? ''}`
  return profile.type === 'RuntimeDefault' ? 'runtime/default' : profile.type.toLowerCase()
}
