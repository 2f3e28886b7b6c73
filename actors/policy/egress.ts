import { isDeepStrictEqual } from 'node:util'
import { whyLeftOut } from '../../src/api/egress-left-out.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import type { Part } from './decision.ts'
import type { LeftOutText } from './left-out.ts'
import type { Observation } from './observation.ts'
import { spacing } from './pace.ts'
import { profileStatus } from './profile-status.ts'

/**
 * Writes changed addresses into the ArmorProfile: at once if the last write is long ago, otherwise as often as all
 * nodes can receive the object. The generation stays the same, so nodes do not reload the profile, and workloads do not
 * restart.
 */
export function egressPart(seen: Observation, profile: ArmorProfile): Part {
  const { now, memory, nodes, settings, egress } = seen
  const before = profile.status?.egress ?? []
  if (egress.addresses === undefined || isDeepStrictEqual(egress.addresses, before)) return {}
  const interval = spacing(profile, nodes.summary.desired, settings.egressInterval, settings, egress.sharing)
  const wait = memory.egressAt + interval - now
  if (wait > 0) return { timers: { egress: wait } }
  const { egress: _, ...status } =
    profile.status ?? profileStatus(undefined, nodes, profile.metadata.generation ?? 0, seen.wall)
  const own = egress.addresses.length > 0 ? { egress: [...egress.addresses] } : {}
  return { effect: { type: 'write-egress', profile, status: { ...status, ...own } } }
}

/** Adds the addresses that do not fit to the rules that a policy leaves out. The reports of nodes name these rules. */
export function withOmitted(leftOut: LeftOutText, profile: ArmorProfile | undefined): LeftOutText {
  const omitted = (profile?.status?.egress ?? []).flatMap(({ target, omitted: count, leftOut: why }) =>
    why !== undefined
      ? [`BPF does not enforce any address of ${target}: ${whyLeftOut[why]}`]
      : count === undefined
        ? []
        : [`BPF does not enforce ${count} addresses of ${target}, because the ArmorProfile has no room for them`],
  )
  if (omitted.length === 0) return leftOut
  return { ...leftOut, reasons: [leftOut.reasons, ...omitted].filter((text) => text !== '').join('; ') }
}
