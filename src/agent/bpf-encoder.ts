import { numberIn } from '../base/c-struct.ts'
import type { ProfileEncoder, Where } from '../enforcer/bpf/profile-encoder.ts'
import { EnforcerError } from '../enforcer/enforcer-error.ts'
import { emptyProfile, encodeEgressAlone, encodeProfile, withoutEgressTable } from '../profile/bpf/encode.ts'
import { countEgress, encodeOwnAddresses } from '../profile/bpf/encode-egress.ts'
import {
  OWN,
  portKey,
  portRange,
  portRanges,
  TABLES_OF_PROFILE,
  tableMaps,
  v4Key,
  v6Key,
} from '../profile/bpf/layout.ts'
import {
  CONTAINERS,
  EGRESS_ENTRIES,
  MAX_CONTAINERS,
  MAX_PORT_RANGES,
  MAX_PREFIXES,
  PROFILES,
} from '../profile/bpf/limits.ts'
import { type MapWrite, UnfitProfile } from '../profile/bpf/map-write.ts'
import { egressNumber, placesOfProfile, slotOfEgress } from '../profile/bpf/places.ts'
import { readBpfProfile } from '../profile/bpf/read-profile.ts'

const step = 'load the BPF profile'

const ownMaps = [
  ['varmor_v4', v4Key],
  ['varmor_v6', v6Key],
] as const

/** Beside the addresses of pods, two of a family for each container. */
const prefixes = EGRESS_ENTRIES - MAX_PREFIXES - 2 * MAX_CONTAINERS

const rooms = [
  { map: 'varmor_v4', what: 'blocks of IPv4 addresses', entries: prefixes, key: v4Key, value: portRanges },
  { map: 'varmor_v6', what: 'blocks of IPv6 addresses', entries: prefixes, key: v6Key, value: portRanges },
  {
    ...{ map: 'varmor_ports', what: 'ranges of ports', entries: EGRESS_ENTRIES - MAX_PORT_RANGES },
    ...{ key: portKey, value: portRange },
  },
] as const

/** How many containers a node may run in profiles, and how many profiles it may have. */
export interface BpfSizes {
  containers?: number
  profiles?: number
}

/** How the BPF enforcer writes profiles into its maps. A profile that takes another's place needs a slot beside it for a moment. */
export function bpfEncoder({ containers, profiles }: BpfSizes = {}): ProfileEncoder {
  const slots = profiles === undefined ? PROFILES : profiles + 2
  return {
    slots,
    tables: slots * TABLES_OF_PROFILE,
    tableMaps: tableMaps.map(({ map }) => map),
    containers: containers === undefined ? CONTAINERS : containers + 1,
    rooms,
    allowing: JSON.stringify(emptyProfile),
    read(content) {
      const profile = readBpfProfile(content)
      if (typeof profile === 'string') throw new EnforcerError('BAD_CONTENT', step, { reason: profile })
      return {
        rest: withoutEgressTable(profile),
        entries: profile.egress === undefined ? rooms.map(() => 0) : countEgress(profile.egress.table),
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
        const bytes = entries(map)
        const each = key.size + portRanges.size
        for (let at = 0; at + each <= bytes.length; at += each) {
          const container = numberIn(key, bytes, 'egress', at) - OWN
          if (container < 0) continue
          keys.set(container, [...(keys.get(container) ?? []), { map, key: bytes.slice(at, at + key.size) }])
        }
      }
      return keys
    },
    held: (entries) => {
      const bySlot = new Map<number, number[]>()
      for (const [room, { map, key, value }] of rooms.entries()) {
        const bytes = entries(map)
        const each = key.size + value.size
        for (let at = 0; at + each <= bytes.length; at += each) {
          const number = numberIn(key, bytes, 'egress', at)
          if (number >= OWN) continue
          const slot = slotOfEgress(number)
          const counts = bySlot.get(slot) ?? rooms.map(() => 0)
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
