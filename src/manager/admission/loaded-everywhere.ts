import { parseEnforcers } from '../../api/enforcer.ts'
import type { ArmorProfile } from '../../api/types.ts'

/**
 * Whether BPF enforces the current generation of the profile on each node that should have an agent, according to the
 * profile's status.
 */
export function hasBpfOnEveryNode(profile: ArmorProfile | undefined): boolean {
  if (profile?.status === undefined) return false
  const { metadata, spec, status } = profile
  const { desiredNumberLoaded: desired, currentNumberLoaded: current, observedGeneration, conditions = [] } = status
  const parsed = parseEnforcers(spec.profile.enforcer)
  const isCurrent = observedGeneration === metadata.generation
  // A node counts as loaded only if all enforcers have loaded the profile. A condition names each node without BPF.
  return (
    parsed.ok &&
    parsed.enforcers.includes('BPF') &&
    isCurrent &&
    desired > 0 &&
    current >= desired &&
    conditions.length === 0
  )
}
