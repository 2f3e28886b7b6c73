import type { ProfileEncoder } from '../enforcer/bpf/profiles.ts'
import { EnforcerError } from '../enforcer/enforcer-error.ts'
import { emptyProfile, encodeProfile } from '../profile/bpf/encode.ts'
import { CONTAINERS, PROFILES, portKey, v4Key, v6Key } from '../profile/bpf/layout.ts'
import { UnfitProfile } from '../profile/bpf/map-write.ts'
import { egressNumber, placesOfProfile } from '../profile/bpf/places.ts'
import { readBpfProfile } from '../profile/bpf/read-profile.ts'

const step = 'load the BPF profile'

/** How the BPF enforcer writes profiles into its maps. */
export const bpfEncoder: ProfileEncoder = {
  slots: PROFILES,
  containers: CONTAINERS,
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
}
