import { localhostPrefix, optOut } from '../api/annotations.ts'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { annotationOf, type ContainerPart, type PodParts, type ProfileField } from './pod-parts.ts'
import { keys } from './profile-annotations.ts'

export const runtimeDefault = 'runtime/default'

/**
 * The setting of the pod for this enforcer: `localhost/PROFILE`, `runtime/default`, `unconfined`, or undefined if the
 * pod has no setting. Kubelets apply the settings for AppArmor and Seccomp; vArmor's agents apply the setting for BPF.
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
 * From Kubernetes 1.30 on, the kubelet uses the first of these settings: the container's field, the container's
 * annotation, the pod's field. Before 1.30, the API server drops the fields, so only the annotation counts.
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

/** Converts a field to the text that the annotation would have. */
function textOf(field: ProfileField | undefined): string | undefined {
  if (field === undefined) return undefined
  if (field.type === 'RuntimeDefault') return runtimeDefault
  if (field.type === 'Localhost') return localhostPrefix + String(field.localhostProfile ?? '')
  return field.type === 'Unconfined' ? optOut : undefined
}
