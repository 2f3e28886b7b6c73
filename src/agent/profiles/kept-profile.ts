import { MAX_ADDRESSES, withInterned } from '../../../actors/policy/kept-profile.ts'
import type { ArmorProfile } from '../../api/types.ts'
import { mebibyte } from '../../base/bytes.ts'
import { InternedTexts } from '../../base/interned-texts.ts'
import type { KubeObject } from '../../kube/objects.ts'
import type { RoomOptions } from '../../kube/room.ts'
import { withoutManagedFields } from '../../kube/store.ts'

type StoredProfile = ArmorProfile & KubeObject

/** Text that a profile contains if it reports the accesses that it allows. */
export const reporting = { appArmor: 'complain', seccomp: 'SCMP_ACT_LOG' } as const

/**
 * Shrinks ArmorProfiles from the API server. An agent compiles `spec.source`. The texts of the profiles may be a
 * thousand times as large, and the agent only needs to know whether they report allowed accesses.
 */
export function profileSlimmer(): (profile: StoredProfile) => StoredProfile {
  const texts = new InternedTexts(MAX_ADDRESSES)
  return (whole) => {
    const profile = withoutManagedFields(whole)
    const { spec, status } = profile
    const kept = spec?.source === undefined ? spec : { ...spec, profile: withoutTexts(spec.profile) }
    const egress = status?.egress && withInterned(status.egress, texts)
    const { status: _, ...rest } = profile
    return { ...rest, spec: kept, ...(egress !== undefined && { status: { egress } }) } as StoredProfile
  }
}

function withoutTexts({ appArmor, bpf, seccomp, ...rest }: ArmorProfile['spec']['profile']) {
  return {
    ...rest,
    ...(appArmor?.includes(reporting.appArmor) && { appArmor: reporting.appArmor }),
    ...(seccomp?.includes(reporting.seccomp) && { seccomp: reporting.seccomp }),
  }
}

/** Maximum bytes of ArmorProfiles that an agent keeps, within the memory limit of the chart (docs/sizing.md). */
const ALL = 48 * mebibyte
/** Maximum characters of a name in an outline. */
const NAME = 256

/**
 * Limits the memory for ArmorProfiles of tenants. An ArmorProfile beyond the limit is not loaded; if a version is
 * loaded, it stays.
 * @param exempt namespace of the ArmorProfiles of cluster policies, which are always kept
 */
export const roomForProfiles = (exempt?: string): RoomOptions<StoredProfile> => ({
  what: 'ArmorProfiles',
  keeper: 'agents',
  all: ALL,
  ofNamespace: ALL / 6,
  exempt,
  outline: ({ apiVersion, kind, metadata, spec }) => {
    const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata
    const { labels, ownerReferences } = metadata
    const { profile, behaviorModeling } = spec
    const owned = { labels: short(labels, {}), ownerReferences: short(ownerReferences, []) }
    const times = { creationTimestamp, ...(deletionTimestamp !== undefined && { deletionTimestamp }) }
    const named = { name: profile.name.slice(0, NAME), enforcer: profile.enforcer.slice(0, NAME), mode: profile.mode }
    return {
      ...{ apiVersion, kind },
      metadata: { name, namespace, uid, resourceVersion, generation, ...times, ...owned },
      spec: { profile: named, behaviorModeling },
    } as unknown as StoredProfile
  },
})

const SHORT = 4_096
const short = <T>(part: T | undefined, without: T): T =>
  part === undefined || JSON.stringify(part).length > SHORT ? without : part
