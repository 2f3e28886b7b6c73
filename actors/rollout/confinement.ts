import { confinementPrefixes, localhostPrefix, optOut } from '../../src/api/annotations.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import { type ContainerRole, initRole, meansContainer } from '../../src/api/target-containers.ts'
import { type PatchOperation, pointer } from '../../src/base/json-patch.ts'
import type { ContainerSpec, PodTemplate } from '../ports.ts'
import type { WantedRollout } from './wanted.ts'

/** The annotations of a pod template that say what confines its containers. */
const keys: Record<KernelEnforcer, readonly [ours: string, ...others: string[]]> = {
  AppArmor: [confinementPrefixes.appArmor, confinementPrefixes.kubernetesAppArmor],
  BPF: [confinementPrefixes.bpf],
  Seccomp: [confinementPrefixes.seccomp],
}

const annotationsOf = ({ metadata }: PodTemplate) => metadata?.annotations ?? {}

/** The containers that the policy is about. @param initToo see SurveyOptions */
function selected({ spec }: PodTemplate, { target }: WantedRollout, initToo: boolean): ContainerSpec[] {
  const { containers = [], initContainers = [] } = spec ?? {}
  const named = target.containers ?? []
  const means = (role: ContainerRole, { name }: ContainerSpec) => meansContainer(named, { name, role }, initToo)
  return [
    ...containers.filter((each) => means('regular', each)),
    ...initContainers.filter((each) => means(initRole(each.restartPolicy), each)),
  ]
}

/** Whether the enforcer is to confine the container: no user said otherwise. */
function isConfined(pod: PodTemplate, { name, securityContext }: ContainerSpec, enforcer: KernelEnforcer): boolean {
  if (keys[enforcer].some((key) => annotationsOf(pod)[key + name] === optOut)) return false
  if (enforcer === 'Seccomp')
    return securityContext?.privileged !== true && securityContext?.seccompProfile?.type !== 'Unconfined'
  return enforcer === 'BPF' || securityContext?.appArmorProfile?.type !== 'Unconfined'
}

const each = (pod: PodTemplate, wanted: WantedRollout, initToo: boolean) =>
  selected(pod, wanted, initToo).flatMap((container) =>
    wanted.enforcers
      .filter((enforcer) => isConfined(pod, container, enforcer))
      .map((enforcer) => ({ container, enforcer })),
  )

/** Whether the policy confines nothing in these pods: every container is opted out, or is not meant. */
export const isOptedOut = (pod: PodTemplate, wanted: WantedRollout, initToo: boolean): boolean =>
  each(pod, wanted, initToo).length === 0

/** Whether a template, or a pod, names the profile wherever the policy wants it: it is in it, or waits for it. */
export const isInProfile = (pod: PodTemplate, wanted: WantedRollout, initToo: boolean): boolean =>
  each(pod, wanted, initToo).every(({ container: { name }, enforcer }) =>
    keys[enforcer].some((key) => annotationsOf(pod)[key + name] === localhostPrefix + wanted.profileName),
  )

/** Whether a pod is confined as its template says, whichever profile that names, for the containers and enforcers of the policy. */
export const isAsTemplate = (
  pod: PodTemplate,
  template: PodTemplate,
  wanted: WantedRollout,
  initToo: boolean,
): boolean =>
  each(template, wanted, initToo).every(({ container: { name }, enforcer }) => {
    const key = keys[enforcer][0] + name
    return annotationsOf(pod)[key] === annotationsOf(template)[key]
  })

/**
 * Takes a profile out of a template, in case the webhook does not: it may not have been asked. What users or other policies put
 * there stays.
 */
export function takeOut(template: PodTemplate, profileName: string): PatchOperation[] {
  const annotations = annotationsOf(template)
  const ours = Object.keys(annotations).filter(
    (key) =>
      Object.values(keys).some((prefixes) => prefixes.some((prefix) => key.startsWith(prefix))) &&
      annotations[key] === localhostPrefix + profileName,
  )
  const fields = (['containers', 'initContainers'] as const).flatMap((list) =>
    (template.spec?.[list] ?? []).flatMap(({ name, securityContext }, i) => {
      const at = `/spec/template/spec/${list}/${i}/securityContext`
      const annotated = ours.includes(keys.Seccomp[0] + name)
      return (['appArmorProfile', 'seccompProfile'] as const).flatMap((field) => {
        const value = securityContext?.[field]
        const isOurs =
          value?.localhostProfile === profileName ||
          (field === 'seccompProfile' && annotated && value?.type === 'RuntimeDefault')
        return isOurs ? [{ op: 'remove' as const, path: `${at}/${field}` }] : []
      })
    }),
  )
  const annotationsOfOurs = ours.map((key) => ({
    op: 'remove' as const,
    path: pointer('/spec/template/metadata/annotations', key),
  }))
  return [...fields, ...annotationsOfOurs]
}
