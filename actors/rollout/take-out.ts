import { optOut } from '../../src/api/annotations.ts'
import { type PatchOperation, pointer } from '../../src/base/json-patch.ts'
import { chosenDefault, containerOf, keys, localhost, switchedOff } from '../../src/confinement/profile-annotations.ts'
import type { ContainerSpec, PodTemplate } from '../ports.ts'

/**
 * Removes a profile from a template, because the API server may not call the webhook that would do this. Settings of
 * users and of other policies stay.
 */
export function takeOut(template: PodTemplate, profileName: string): PatchOperation[] {
  const annotations = template.metadata?.annotations ?? {}
  const fields = (['containers', 'initContainers'] as const).flatMap((list) =>
    (template.spec?.[list] ?? []).flatMap((container, i) =>
      fieldsOfOurs(container, annotations, profileName).map((field) => ({
        op: 'remove' as const,
        path: `/spec/template/spec/${list}/${i}/securityContext/${field}`,
      })),
    ),
  )
  const keysOfOurs = Object.keys(annotations).filter((key) => isOurs(key, annotations, profileName))
  const at = '/spec/template/metadata/annotations'
  return [...fields, ...keysOfOurs.map((key) => ({ op: 'remove' as const, path: pointer(at, key) }))]
}

type Annotations = Readonly<Record<string, string>>

const isSwitchedOffFor = (container: string, annotations: Annotations, profileName: string): boolean =>
  annotations[keys.appArmor(container)] === switchedOff(profileName)

function isOurs(key: string, annotations: Annotations, profileName: string): boolean {
  const container = containerOf(key)
  if (container === undefined) return false
  const value = annotations[key]
  if (value === localhost(profileName) || value === chosenDefault(profileName)) return true
  const isOff = isSwitchedOffFor(container, annotations, profileName)
  return isOff && (key === keys.appArmor(container) || (key === keys.kubernetesAppArmor(container) && value === optOut))
}

function fieldsOfOurs(
  { name, securityContext }: ContainerSpec,
  annotations: Annotations,
  profileName: string,
): ('appArmorProfile' | 'seccompProfile')[] {
  const isDefaultOfOurs = annotations[keys.seccomp(name)] === localhost(profileName)
  const typeOfOurs = {
    appArmorProfile: isSwitchedOffFor(name, annotations, profileName) ? 'Unconfined' : undefined,
    seccompProfile: isDefaultOfOurs ? 'RuntimeDefault' : undefined,
  }
  return (['appArmorProfile', 'seccompProfile'] as const).filter((field) => {
    const { type, localhostProfile } = securityContext?.[field] ?? {}
    return localhostProfile === profileName || (type !== undefined && type === typeOfOurs[field])
  })
}
