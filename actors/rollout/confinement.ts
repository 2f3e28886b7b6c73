import {
  bpfExclusivePrefix,
  chosenDefaultPrefix,
  confinementPrefixes,
  localhostPrefix,
  optOut,
} from '../../src/api/annotations.ts'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import { type ContainerRole, initRole, meansContainer } from '../../src/api/target-containers.ts'
import { type PatchOperation, pointer } from '../../src/base/json-patch.ts'
import type { ContainerSpec, PodTemplate } from '../ports.ts'
import type { WantedRollout } from './wanted.ts'

/** Annotations of a pod template that select the confinement of its containers. */
const keys: Record<KernelEnforcer, readonly [ours: string, ...others: string[]]> = {
  AppArmor: [confinementPrefixes.appArmor, confinementPrefixes.kubernetesAppArmor],
  BPF: [confinementPrefixes.bpf],
  Seccomp: [confinementPrefixes.seccomp],
}

const annotationsOf = ({ metadata }: PodTemplate) => metadata?.annotations ?? {}

/** Containers that the policy targets. @param initToo see SurveyOptions */
function selected({ spec }: PodTemplate, { target }: WantedRollout, initToo: boolean): ContainerSpec[] {
  const { containers = [], initContainers = [] } = spec ?? {}
  const named = target.containers ?? []
  const means = (role: ContainerRole, { name }: ContainerSpec) => meansContainer(named, { name, role }, initToo)
  return [
    ...containers.filter((each) => means('regular', each)),
    ...initContainers.filter((each) => means(initRole(each.restartPolicy), each)),
  ]
}

/** Whether the enforcer must confine the container: false if the user opted out. */
function isConfined(pod: PodTemplate, { name, securityContext }: ContainerSpec, enforcer: KernelEnforcer): boolean {
  const annotations = annotationsOf(pod)
  // A manager turns AppArmor off when it sets a BPF profile; the user did not choose this.
  const isOffByUs =
    enforcer === 'AppArmor' && annotations[keys.AppArmor[0] + name]?.startsWith(bpfExclusivePrefix) === true
  if (!isOffByUs && keys[enforcer].some((key) => annotations[key + name] === optOut)) return false
  if (enforcer === 'BPF') return true
  if (enforcer === 'Seccomp' && securityContext?.privileged === true) return false
  const field = enforcer === 'Seccomp' ? 'seccompProfile' : 'appArmorProfile'
  return [isOffByUs ? undefined : securityContext, pod.spec?.securityContext].every(
    (context) => context?.[field]?.type !== 'Unconfined',
  )
}

const each = (pod: PodTemplate, wanted: WantedRollout, initToo: boolean) =>
  selected(pod, wanted, initToo).flatMap((container) =>
    wanted.enforcers
      .filter((enforcer) => isConfined(pod, container, enforcer))
      .map((enforcer) => ({ container, enforcer })),
  )

/** Whether the policy confines no container of these pods: each container is opted out or not targeted. */
export const isOptedOut = (pod: PodTemplate, wanted: WantedRollout, initToo: boolean): boolean =>
  each(pod, wanted, initToo).length === 0

/**
 * Whether a template or a pod names the profile for each container and enforcer that the policy confines.
 * @param other another profile that is accepted
 */
export function isInProfile(pod: PodTemplate, wanted: WantedRollout, initToo: boolean, other?: string): boolean {
  return each(pod, wanted, initToo).every(({ container, enforcer }) => {
    const said = keys[enforcer].map((key) => annotationsOf(pod)[key + container.name])
    const names = (profile: string): boolean => said.includes(localhostPrefix + profile)
    if (other !== undefined && (names(other) || said.includes(chosenDefaultPrefix + other))) return true
    if (enforcer !== 'Seccomp') return names(wanted.profileName)
    const { mode, profileName } = wanted
    if (mode === undefined || mode === 'RuntimeDefault')
      return names(profileName) || said.includes(chosenDefaultPrefix + profileName)
    // The container may still have the confinement from a former mode RuntimeDefault.
    return names(profileName) && container.securityContext?.seccompProfile?.type !== 'RuntimeDefault'
  })
}

/**
 * Whether a pod has the same confinement as its template, with any profile, for the containers and enforcers of the
 * policy.
 */
export const isAsTemplate = (
  pod: PodTemplate,
  template: PodTemplate,
  wanted: WantedRollout,
  initToo: boolean,
): boolean =>
  each(template, wanted, initToo).every(({ container: { name }, enforcer }) => {
    const [ours, ...others] = keys[enforcer]
    const isSame = (key: string) => annotationsOf(pod)[key + name] === annotationsOf(template)[key + name]
    // An API server that has the AppArmor field adds Kubernetes' annotation to pods only.
    return isSame(ours) && others.every((key) => annotationsOf(template)[key + name] === undefined || isSame(key))
  })

/**
 * Removes a profile from a template, because the API server may not call the webhook that would do this. Settings of
 * users and of other policies stay.
 */
export function takeOut(template: PodTemplate, profileName: string): PatchOperation[] {
  const annotations = annotationsOf(template)
  const [appArmor, kubernetes] = keys.AppArmor as [string, string]
  const switchedOff = (container: string) => annotations[appArmor + container] === bpfExclusivePrefix + profileName
  const ours = Object.keys(annotations).filter((key) => {
    const prefix = Object.values(keys)
      .flat()
      .find((one) => key.startsWith(one))
    if (prefix === undefined) return false
    const container = key.slice(prefix.length)
    if (annotations[key] === localhostPrefix + profileName || annotations[key] === chosenDefaultPrefix + profileName)
      return true
    if (prefix === appArmor) return switchedOff(container)
    return prefix === kubernetes && annotations[key] === optOut && switchedOff(container)
  })
  const fields = (['containers', 'initContainers'] as const).flatMap((list) =>
    (template.spec?.[list] ?? []).flatMap(({ name, securityContext }, i) => {
      const at = `/spec/template/spec/${list}/${i}/securityContext`
      const annotated = annotations[keys.Seccomp[0] + name] === localhostPrefix + profileName
      return (['appArmorProfile', 'seccompProfile'] as const).flatMap((field) => {
        const value = securityContext?.[field]
        const isOurs =
          value?.localhostProfile === profileName ||
          (field === 'seccompProfile' && annotated && value?.type === 'RuntimeDefault') ||
          (field === 'appArmorProfile' && switchedOff(name) && value?.type === 'Unconfined')
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
