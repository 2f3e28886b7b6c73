import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ArmorProfile, ArmorProfileSpec, EgressAddresses } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'
import { InternedTexts } from '../../src/base/interned-texts.ts'

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
export const MOST_ADDRESSES = 100_000

/**
 * Makes ArmorProfiles as the server has them small. A manager compares the profiles in them with those it would make, and a digest
 * is enough for that. A policy of one kilobyte may have profiles of a megabyte, and 4,096 addresses.
 */
export class ProfileSlimmer {
  readonly #addresses = new InternedTexts(MOST_ADDRESSES)

  slim<T extends ArmorProfile>(profile: T): T {
    const { spec, status } = profile
    if (spec?.profile === undefined || (spec as KeptSpec)[whole] !== undefined) return profile
    const { source: _, ...rest } = spec
    const { appArmor: __, bpf: ___, seccomp: ____, ...named } = spec.profile
    const kept: KeptSpec = { ...rest, profile: named, [whole]: digestOf(spec) }
    const egress = status?.egress && withInterned(status.egress, this.#addresses)
    return { ...profile, spec: kept, ...(egress !== undefined && { status: { ...status!, egress } }) }
  }
}

/** The same addresses, of each of which there is one text. */
export const withInterned = (all: readonly EgressAddresses[], texts: InternedTexts): EgressAddresses[] =>
  all.map(({ groups, ...rest }) => ({
    ...rest,
    groups: groups.map((group) => ({ ...group, addresses: group.addresses.map((address) => texts.of(address)) })),
  }))
