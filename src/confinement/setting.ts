import { localhostPrefix, optOut } from '../api/annotations.ts'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { annotationOf, type ContainerPart, type PodParts, type ProfileField } from './pod-parts.ts'
import { keys } from './profile-annotations.ts'

export const runtimeDefault = 'runtime/default'

/**
 * What confines the container at this enforcer, by the pod alone: `localhost/PROFILE`, `runtime/default`, `unconfined`,
 * or undefined if the pod does not say it. Kubelets decide about AppArmor and Seccomp, and vArmor's agents about BPF.
 * @param appArmorField whether the API server has `securityContext.appArmorProfile` (Kubernetes 1.30)
 */
export function settingOf(
  pod: PodParts,
  container: ContainerPart,
  enforcer: KernelEnforcer,
  appArmorField: boolean,
): string | undefined {
  switch (enforcer) {
    case 'AppArmor':
      return appArmorOf(pod, container, appArmorField)
    case 'BPF':
      return annotationOf(pod, keys.bpf(container.name))
    case 'Seccomp':
      return textOf(container.seccompProfile) ?? textOf(pod.pod.seccompProfile)
  }
}

/**
 * The kubelet's order from 1.30 on: the container's field, its annotation, the pod's field. The API server copies the
 * annotation of a new pod into the field. Before 1.30 there is only the annotation, and the server drops the fields.
 */
function appArmorOf(pod: PodParts, container: ContainerPart, appArmorField: boolean): string | undefined {
  const annotation = annotationOf(pod, keys.kubernetesAppArmor(container.name))
  const valid = annotation !== undefined && isSetting(annotation) ? annotation : undefined
  if (!appArmorField) return valid
  return textOf(container.appArmorProfile) ?? valid ?? textOf(pod.pod.appArmorProfile)
}

/** The kubelet ignores an annotation with any other value. */
const isSetting = (text: string): boolean =>
  text === optOut || text === runtimeDefault || (text.startsWith(localhostPrefix) && text !== localhostPrefix)

/** A field in the form of the annotation. */
function textOf(field: ProfileField | undefined): string | undefined {
  if (field === undefined) return undefined
  if (field.type === 'RuntimeDefault') return runtimeDefault
  if (field.type === 'Localhost') return localhostPrefix + String(field.localhostProfile ?? '')
  return field.type === 'Unconfined' ? optOut : undefined
}
