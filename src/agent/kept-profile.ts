import { MAX_ADDRESSES, withInterned } from '../../actors/policy/kept-profile.ts'
import type { ArmorProfile } from '../api/types.ts'
import { mebibyte } from '../base/bytes.ts'
import { InternedTexts } from '../base/interned-texts.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { RoomOptions } from '../kube/room.ts'
import { withoutManagedFields } from '../kube/store.ts'

type StoredProfile = ArmorProfile & KubeObject

/** What a text of a profile has in it that reports what it lets pass. */
export const reporting = { appArmor: 'complain', seccomp: 'SCMP_ACT_LOG' } as const

/**
 * Makes ArmorProfiles as the server has them small. An agent compiles what `spec.source` carries, so that of the
 * profiles for readers, which may be a thousand times as large, it needs no more than whether they report what they let
 * pass.
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

/** Bytes that an agent keeps of ArmorProfiles, within what the chart gives it beside all else (docs/sizing.md). */
const ALL = 48 * mebibyte
/** Characters of a name in an outline. */
const NAME = 256

/**
 * How much an agent keeps of what tenants make. A profile that there is no room for is not loaded, and what is loaded
 * of it stays.
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
