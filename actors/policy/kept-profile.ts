import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ArmorProfile, ArmorProfileSpec, EgressAddresses } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'
import { InternedTexts } from '../../src/base/interned-texts.ts'

/**
 * Key under which a spec without its profiles keeps the digest of the full spec. Objects of the API server do not have
 * this key.
 */
const whole = Symbol('digest of the whole spec')

type KeptSpec = ArmorProfileSpec & { [whole]?: string }

const digestOf = (spec: ArmorProfileSpec): string => createHash('sha256').update(canonicalJson(spec)).digest('base64')

/** Whether the stored profile was made from this spec. */
export function hasSpec({ spec: stored }: Pick<ArmorProfile, 'spec'>, spec: ArmorProfileSpec): boolean {
  const digest = (stored as KeptSpec)[whole]
  return digest === undefined ? isDeepStrictEqual(spec, stored) : digest === digestOf(spec)
}

/** Maximum number of addresses with a text that profiles share. */
export const MAX_ADDRESSES = 100_000

/**
 * Shrinks ArmorProfiles that a watch brings. A manager only compares their profiles with the profiles that it would
 * make, so a digest is enough. A policy of one kilobyte may have profiles of a megabyte, and 4,096 addresses.
 */
export class ProfileSlimmer {
  readonly #addresses = new InternedTexts(MAX_ADDRESSES)

  /** Number of addresses with a shared text. */
  get addresses(): number {
    return this.#addresses.size
  }

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

/** The same addresses, with a shared text for each address. */
export const withInterned = (all: readonly EgressAddresses[], texts: InternedTexts): EgressAddresses[] =>
  all.map(({ groups, ...rest }) => ({
    ...rest,
    groups: groups.map((group) => ({ ...group, addresses: group.addresses.map((address) => texts.of(address)) })),
  }))
