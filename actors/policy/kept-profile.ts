import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ArmorProfile, ArmorProfileSpec, EgressGroup } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'

/** Of a spec whose profiles are left out: the digest of the whole one. No object of the API server has it. */
const whole = Symbol('digest of the whole spec')

type KeptSpec = ArmorProfileSpec & { [whole]?: string }

const digestOf = (spec: ArmorProfileSpec): string => createHash('sha256').update(canonicalJson(spec)).digest('base64')

/** Whether the profile was made with this spec. */
export function hasSpec({ spec: stored }: Pick<ArmorProfile, 'spec'>, spec: ArmorProfileSpec): boolean {
  const digest = (stored as KeptSpec)[whole]
  return digest === undefined ? isDeepStrictEqual(spec, stored) : digest === digestOf(spec)
}

/** Addresses of which one text is kept for all profiles that have them. */
const MOST_ADDRESSES = 100_000

/**
 * Makes ArmorProfiles as the server has them small. A manager compares the profiles in them with those it would make, and a digest
 * is enough for that. A policy of one kilobyte may have profiles of a megabyte, and 4,096 addresses.
 */
export class ProfileSlimmer {
  #addresses = new Map<string, string>()

  slim<T extends ArmorProfile>(profile: T): T {
    const { spec, status } = profile
    if (spec?.profile === undefined || (spec as KeptSpec)[whole] !== undefined) return profile
    const { source: _, ...rest } = spec
    const { appArmor: __, bpf: ___, seccomp: ____, ...named } = spec.profile
    const kept: KeptSpec = { ...rest, profile: named, [whole]: digestOf(spec) }
    const egress = status?.egress?.map((one) => ({ ...one, groups: one.groups.map((group) => this.#shared(group)) }))
    return { ...profile, spec: kept, ...(egress !== undefined && { status: { ...status!, egress } }) }
  }

  #shared(group: EgressGroup): EgressGroup {
    return { ...group, addresses: group.addresses.map((address) => this.#text(address)) }
  }

  #text(address: string): string {
    const known = this.#addresses.get(address)
    if (known !== undefined) return known
    // Profiles keep the texts that they have.
    if (this.#addresses.size >= MOST_ADDRESSES) this.#addresses.clear()
    this.#addresses.set(address, address)
    return address
  }
}
