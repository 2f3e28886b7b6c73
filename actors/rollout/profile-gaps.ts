import type { PolicyMode } from '../../src/api/types.ts'
import { type Confinement, confinementsOf, isGap } from '../../src/confinement/confinements.ts'
import type { ConfinementFacts } from '../../src/confinement/exemption.ts'
import { type PodParts, templateParts } from '../../src/confinement/pod-parts.ts'
import { settingOf } from '../../src/confinement/setting.ts'
import type { Pod, PodTemplate } from '../ports.ts'
import type { WantedRollout } from './wanted.ts'

/** A policy for pods, which admission applies in spite of the template. */
export interface PodPolicy {
  profile: string
  mode: PolicyMode
}

/** Whether a restart would bring a container of this template, or pod, into the profile. */
export function lacksProfile(template: PodTemplate, wanted: WantedRollout, facts: ConfinementFacts): boolean {
  const parts = templateParts(template)
  return parts !== undefined && gapsOf(parts, wanted, facts).length > 0
}

export interface PodCheck {
  wanted: WantedRollout
  facts: ConfinementFacts
  /** A policy whose profile is also accepted. */
  other: PodPolicy | undefined
  /**
   * The pod's template, if admission would not change it. Then a container that is confined as in the template is
   * accepted.
   */
  template: PodTemplate | undefined
  /**
   * Whether the policy of `wanted` confines the workload. If not, containers that the template lacks need no profile.
   */
  isOurs: boolean
}

/** Whether a container of the pod runs outside the profile, and neither the user nor another policy wants this. */
export function podLacksProfile(pod: Pod, { wanted, facts, other, template, isOurs }: PodCheck): boolean {
  const parts = templateParts(pod)
  if (parts === undefined) return false
  const ofTemplate = templateParts(template)
  return gapsOf(parts, wanted, facts).some(
    (gap) =>
      (other === undefined || !isIn(other, gap, parts, facts)) &&
      (ofTemplate === undefined || !isAsTemplate(gap, parts, ofTemplate, facts, isOurs)),
  )
}

/** Ephemeral containers do not count: a restart ends them, and no new pod has them. */
const gapsOf = (parts: PodParts, wanted: WantedRollout, facts: ConfinementFacts): Confinement[] => {
  const { profileName, enforcers, mode, target } = wanted
  const policy = { profile: profileName, enforcers, mode, containers: target.containers ?? [] }
  return confinementsOf(parts, policy, facts).filter((one) => isGap(one) && one.container.role !== 'ephemeral')
}

function isIn({ profile, mode }: PodPolicy, gap: Confinement, parts: PodParts, facts: ConfinementFacts): boolean {
  const policy = { profile, mode, enforcers: [gap.enforcer], containers: [gap.container.name] }
  return confinementsOf(parts, policy, facts).every((one) => !isGap(one))
}

/** Whether the container is confined as in the template. The template lacks a container that another webhook added. */
function isAsTemplate(
  { container, enforcer }: Confinement,
  parts: PodParts,
  template: PodParts,
  { appArmorField }: ConfinementFacts,
  isOurs: boolean,
): boolean {
  const same = template.containers.find(({ name }) => name === container.name)
  if (same === undefined) return !isOurs
  return settingOf(parts, container, enforcer, appArmorField) === settingOf(template, same, enforcer, appArmorField)
}
