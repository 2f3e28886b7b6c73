import { numberIn } from '../../base/c-struct.ts'
import type { ProfileEncoder, Quota, Where } from '../../enforcer/bpf/profile-encoder.ts'
import { EnforcerError } from '../../enforcer/enforcer-error.ts'
import { emptyProfile, encodeEgressAlone, encodeProfile, withoutEgressTable } from '../../profile/bpf/encode.ts'
import { countEgress, encodeOwnAddresses } from '../../profile/bpf/encode-egress.ts'
import {
  bytesOfArray,
  mounts,
  OWN,
  portKey,
  portRange,
  portRanges,
  profile as profileStruct,
  TABLES_OF_PROFILE,
  tableMaps,
  v4Key,
  v6Key,
} from '../../profile/bpf/layout.ts'
import {
  CONTAINERS,
  EGRESS_ENTRIES,
  MAX_CONTAINERS,
  MAX_PORT_RANGES,
  MAX_PREFIXES,
  PROFILE_MEMORY,
  PROFILES,
} from '../../profile/bpf/limits.ts'
import { type MapWrite, UnfitProfile } from '../../profile/bpf/map-write.ts'
import { egressNumber, placesOfProfile, slotOfEgress } from '../../profile/bpf/places.ts'
import { readBpfProfile } from '../../profile/bpf/read-profile.ts'

const step = 'load the BPF profile'

const ownMaps = [
  ['varmor_v4', v4Key],
  ['varmor_v6', v6Key],
] as const

/**
 * Number of entries for prefixes. The other entries are for the addresses of pods: two address families for each
 * container.
 */
const prefixes = EGRESS_ENTRIES - MAX_PREFIXES - 2 * MAX_CONTAINERS

/**
 * `bytes`: maximum memory that the kernel allocates for an entry. For an address, it may also allocate an inner node of
 * the trie.
 */
const egressMaps = [
  {
    ...{ map: 'varmor_v4', what: 'blocks of IPv4 addresses', all: prefixes, bytes: 128 },
    ...{ key: v4Key, value: portRanges },
  },
  {
    ...{ map: 'varmor_v6', what: 'blocks of IPv6 addresses', all: prefixes, bytes: 128 },
    ...{ key: v6Key, value: portRanges },
  },
  {
    ...{ map: 'varmor_ports', what: 'ranges of ports', all: EGRESS_ENTRIES - MAX_PORT_RANGES, bytes: 96 },
    ...{ key: portKey, value: portRange },
  },
] as const

const kibibytes = (bytes: number): number => Math.ceil(bytes / 1024)
/**
 * This includes mount rules for every profile, because we do not know whether a profile loaded by an earlier agent has
 * mount rules.
 */
const ownMemory = bytesOfArray(profileStruct.size) + bytesOfArray(mounts.size)

const entryRooms = egressMaps.map(({ what, all }, map): Quota => {
  const remedy = 'use fewer ports and addresses in egress rules of BPF policies'
  return { what, all, remedy, ofProfile: (entries) => entries[map] ?? 0 }
})

const memoryRoom = (bytes: number): Quota => ({
  what: 'KiB of kernel memory',
  all: kibibytes(bytes),
  remedy:
    'use fewer patterns with * and fewer addresses in BPF policies, or raise --bpf-profile-memory of the agent, and the memory limit of its container by the same amount',
  ofProfile: (entries) =>
    kibibytes(egressMaps.reduce((sum, { bytes }, map) => sum + bytes * (entries[map] ?? 0), ownMemory)),
  ofTable: (map) => kibibytes(bytesOfArray(tableMaps[map]!.bytes)),
})

/** Limits of a node: containers in profiles, profiles, and bytes of kernel memory for these profiles. */
export interface BpfSizes {
  containers?: number
  profiles?: number
  profileMemory?: number
}

/** Writes profiles into the maps of the BPF enforcer. A profile that replaces another briefly needs a second slot. */
export function bpfEncoder({ containers, profiles, profileMemory = PROFILE_MEMORY }: BpfSizes = {}): ProfileEncoder {
  const slots = profiles === undefined ? PROFILES : profiles + 2
  return {
    slots,
    tables: slots * TABLES_OF_PROFILE,
    tableMaps: tableMaps.map(({ map }) => map),
    containers: containers === undefined ? CONTAINERS : containers + 1,
    rooms: [...entryRooms, memoryRoom(profileMemory)],
    allowing: JSON.stringify(emptyProfile),
    read(content) {
      const profile = readBpfProfile(content)
      if (typeof profile === 'string') throw new EnforcerError('BAD_CONTENT', step, { reason: profile })
      return {
        rest: withoutEgressTable(profile),
        entries: profile.egress === undefined ? egressMaps.map(() => 0) : countEgress(profile.egress.table),
        writes: (at) => fitting(() => encodeProfile(profile, at)),
        egress: (at) => fitting(() => encodeEgressAlone(profile, at)),
      }
    },
    ownAddresses(container, addresses) {
      try {
        return encodeOwnAddresses(addresses, container)
      } catch (error) {
        if (!(error instanceof UnfitProfile)) throw error
        throw new EnforcerError('BAD_CONTENT', 'bind the container', { reason: error.message }, { cause: error })
      }
    },
    ownKeys: (entries) => {
      const keys = new Map<number, { map: string; key: Uint8Array }[]>()
      for (const [map, key] of ownMaps) {
        const each = key.size + portRanges.size
        const bytes = entries(map, each)
        for (let at = 0; at < bytes.length; at += each) {
          const container = numberIn(key, bytes, 'egress', at) - OWN
          if (container < 0) continue
          keys.set(container, [...(keys.get(container) ?? []), { map, key: bytes.slice(at, at + key.size) }])
        }
      }
      return keys
    },
    held: (entries) => {
      const bySlot = new Map<number, number[]>()
      for (const [room, { map, key, value }] of egressMaps.entries()) {
        const each = key.size + value.size
        const bytes = entries(map, each)
        for (let at = 0; at < bytes.length; at += each) {
          const number = numberIn(key, bytes, 'egress', at)
          if (number >= OWN) continue
          const slot = slotOfEgress(number)
          const counts = bySlot.get(slot) ?? egressMaps.map(() => 0)
          counts[room]!++
          bySlot.set(slot, counts)
        }
      }
      return bySlot
    },
    removal(slot) {
      const halves = [egressOf(slot, 0), egressOf(slot, 1)].flat()
      return { writes: placesOfProfile(slot), where: halves }
    },
    egressRemoval: egressOf,
  }
}

function egressOf(slot: number, half: 0 | 1): Where[] {
  const number = egressNumber(slot, half)
  return [
    { map: 'varmor_v4', offset: v4Key.at.egress, number },
    { map: 'varmor_v6', offset: v6Key.at.egress, number },
    { map: 'varmor_ports', offset: portKey.at.egress, number },
  ]
}

function fitting(encode: () => MapWrite[]): MapWrite[] {
  try {
    return encode()
  } catch (error) {
    if (!(error instanceof UnfitProfile)) throw error
    throw new EnforcerError('PROFILE_REJECTED', step, { reason: error.message }, { cause: error })
  }
}
