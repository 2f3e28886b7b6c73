import type { Container, Pod, ProfileReference, SecurityContext } from '../types.ts'

/** What confines a container, as its pod asks for it. */
export interface Confinement {
  /** `localhost/<profile>`, `runtime/default`, `unconfined`, or empty when nothing is said. */
  readonly appArmor: string
  /** Written in the same way. */
  readonly seccomp: string
  /** The text of the annotation for the BPF enforcer; empty when there is none. */
  readonly bpf: string
  readonly privileged: boolean
}

const annotationFor = ({ metadata }: Pod, kind: string, { name }: Container): string =>
  metadata.annotations?.[`container.${kind}/${name}`] ?? ''

/**
 * A container's own field comes before the pod's field, and both before the annotations that clusters older than
 * Kubernetes 1.30 read. A privileged container is never under a seccomp profile.
 */
export function confinementOf(pod: Pod, container: Container): Confinement {
  const field = (name: 'appArmorProfile' | 'seccompProfile'): string => {
    const contexts: (SecurityContext | undefined)[] = [container.securityContext, pod.spec.securityContext]
    return profileText(contexts.map((context) => context?.[name]).find((profile) => profile !== undefined))
  }
  const privileged = container.securityContext?.privileged === true
  return {
    appArmor: field('appArmorProfile') || annotationFor(pod, 'apparmor.security.beta.kubernetes.io', container),
    seccomp: privileged ? '' : field('seccompProfile'),
    bpf: annotationFor(pod, 'bpf.security.beta.varmor.org', container),
    privileged,
  }
}

function profileText(profile: ProfileReference | undefined): string {
  if (!profile) return ''
  if (profile.type === 'Localhost') return `localhost/${profile.localhostProfile ?? ''}`
  return profile.type === 'RuntimeDefault' ? 'runtime/default' : profile.type.toLowerCase()
}
