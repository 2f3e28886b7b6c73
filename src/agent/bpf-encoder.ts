import type { ProfileEncoder } from '../enforcer/bpf/profiles.ts'
import { EnforcerError } from '../enforcer/enforcer-error.ts'
import { emptyProfile, encodeProfile } from '../profile/bpf/encode.ts'
import { portKey, v4Key, v6Key } from '../profile/bpf/layout.ts'
import { CONTAINERS, PROFILES } from '../profile/bpf/limits.ts'
import { UnfitProfile } from '../profile/bpf/map-write.ts'
import { egressNumber, placesOfProfile } from '../profile/bpf/places.ts'
import { readBpfProfile } from '../profile/bpf/read-profile.ts'

const step = 'load the BPF profile'

/** How many containers a node may run in profiles, and how many profiles it may have. */
export interface BpfSizes {
  containers?: number
  profiles?: number
}

/** How the BPF enforcer writes profiles into its maps. A profile that takes another's place needs a slot beside it for a moment. */
export const bpfEncoder = ({ containers, profiles }: BpfSizes = {}): ProfileEncoder => ({
  slots: profiles === undefined ? PROFILES : profiles + 2,
  containers: containers === undefined ? CONTAINERS : containers + 1,
  allowing: JSON.stringify(emptyProfile),
  encode(content, at) {
    const profile = readBpfProfile(content)
    if (typeof profile === 'string') throw new EnforcerError('BAD_CONTENT', step, { reason: profile })
    try {
      return encodeProfile(profile, at)
    } catch (error) {
      if (!(error instanceof UnfitProfile)) throw error
      throw new EnforcerError('PROFILE_REJECTED', step, { reason: error.message }, { cause: error })
    }
  },
  removal(slot) {
    const number = egressNumber(slot)
    const where = [
      { map: 'varmor_v4', offset: v4Key.at.egress, number },
      { map: 'varmor_v6', offset: v6Key.at.egress, number },
      { map: 'varmor_ports', offset: portKey.at.egress, number },
    ]
    return { writes: placesOfProfile(slot), where }
  },
})
