import { isDeepStrictEqual } from 'node:util'
import { isLoadFailure, type LoadFailure, type WantedProfile } from '../../../actors/loaded-profile/ports.ts'
import { type KernelEnforcer, parseEnforcers } from '../../api/enforcer.ts'
import type { ArmorProfile } from '../../api/types.ts'
import type { PolicyIdentity } from '../../audit/enrich/snapshot.ts'
import type { Claim, Claims } from '../../enforcer/bpf/shares.ts'
import type { Change } from '../../kube/change.ts'
import type { Handler } from '../../kube/handler-queue.ts'
import type { OwnerReference } from '../../kube/objects.ts'
import type { CompileCarried } from '../../profile/profile-source.ts'
import { compiledOf, type DesiredProfile, digestsOf, isWhole, lengthOf, wantedOf } from './desired-profile.ts'

/**
 * Maximum characters of compiled profiles that are kept for retries. Beyond it, a profile is compiled again for each
 * retry.
 */
const KEPT = 16 * 1024 * 1024

interface Entry extends DesiredProfile {
  /** RFC 3339 time; as a text it sorts by time. */
  since: string
  /** The count of node changes when the profile was last marked for compilation. */
  node?: number
  /** Namespace of its policy, for BPF; empty for a cluster policy. */
  bpfNamespace?: string
}

/**
 * The profiles that the node must load, by the key of their ArmorProfile. If two ArmorProfiles name the same profile,
 * the older ArmorProfile owns it, and the other gets a conflict. An ArmorProfile that managers cannot have made owns no
 * profile, and does not replace a loaded profile.
 */
export class WantedProfiles {
  readonly #whyStrange: (profile: ArmorProfile) => string | undefined
  readonly #entries = new Map<string, Entry>()
  readonly #byName = new Map<string, Set<string>>()

  /** Number of characters of each compiled profile that is kept for a retry. */
  readonly #kept = new Map<string, number>()
  #bpfClaims: Claims | undefined
  /** Number of times that the node has changed. */
  #nodes = 0

  /** @param whyStrange returns why managers cannot have made an ArmorProfile; undefined if they can */
  constructor(whyStrange: (profile: ArmorProfile) => string | undefined = () => undefined) {
    this.#whyStrange = whyStrange
  }

  get(key: string): WantedProfile | undefined {
    const wanted = this.#entries.get(key)?.wanted
    if (wanted === undefined) return undefined
    const owner = this.#ownerOf(wanted.profile)
    if (owner === undefined || owner === key || wanted.leaving || wanted.strange !== undefined) return wanted
    return { ...wanted, conflict: `its profile name ${wanted.profile} belongs to the ArmorProfile ${owner}` }
  }

  wantedByOthers(key: string, profile: string): boolean {
    return this.#holders(profile).some((other) => other !== key)
  }

  /**
   * Whether an ArmorProfile has the profile, even an ArmorProfile that is being deleted. The actor of such an
   * ArmorProfile removes the profile, so it is not a leftover.
   */
  has(profile: string): boolean {
    return this.#byName.has(profile)
  }

  *entries(): Iterable<[key: string, wanted: WantedProfile]> {
    for (const key of this.#entries.keys()) yield [key, this.get(key)!]
  }

  /**
   * Claims of all ArmorProfiles with BPF profiles, even if they are being deleted. If two ArmorProfiles name the same
   * profile, only its owner counts.
   */
  get bpfClaims(): Claims {
    this.#bpfClaims ??= this.#claimsOfBpf()
    return this.#bpfClaims
  }

  /** @returns keys of the ArmorProfiles whose result may have changed */
  set(key: string, armorProfile: ArmorProfile): string[] {
    const before = this.#remove(key)
    const why = this.#whyStrange(armorProfile)
    const strange = why === undefined ? {} : { strange: `refused, because no manager made this ArmorProfile: ${why}` }
    const old = this.#entries.get(key)
    const { wanted, ...rest } = wantedOf(armorProfile, old)
    const { profile } = wanted
    const since = String(armorProfile.metadata.creationTimestamp ?? '')
    const policy = isOf(armorProfile.spec.profile, 'BPF') ? policyOf(armorProfile) : undefined
    const bpf = policy === undefined ? {} : { bpfNamespace: policy.namespace }
    const node = old?.node === undefined ? {} : { node: old.node }
    this.#entries.set(key, { ...rest, wanted: { ...wanted, ...strange }, since, ...bpf, ...node })
    const keys = this.#byName.get(profile)
    if (keys === undefined) this.#byName.set(profile, new Set([key]))
    else keys.add(key)
    return [...new Set([key, ...before, ...this.#byName.get(profile)!])]
  }

  /**
   * Compiles the source of the ArmorProfile, unless it is compiled already. If the source changes meanwhile, it is
   * compiled later.
   * @returns why it could not be compiled
   */
  async compile(key: string, compile: CompileCarried): Promise<LoadFailure | undefined> {
    const { carried, wanted: before, node } = this.#entries.get(key) ?? {}
    if (carried === undefined || isWhole(before?.contents)) return undefined
    const result = await compile(carried, key.slice(0, key.indexOf('/'))).catch(loadFailure)
    if (isLoadFailure(result)) return result
    const entry = this.#entries.get(key)
    // Drop the result if the node has changed meanwhile.
    if (entry?.node !== node) return undefined
    if (entry?.carried !== undefined && isDeepStrictEqual(entry.carried, carried))
      this.#entries.set(key, { ...entry, ...compiledOf({ wanted: entry.wanted, carried }, result) })
    return undefined
  }

  /** Drops the compiled profile, except its digests. With `again`, keeps it for the retry if the limit permits this. */
  letGo(key: string, again: boolean): void {
    this.#kept.delete(key)
    const entry = this.#entries.get(key)
    const contents = entry?.wanted.contents
    if (entry?.carried === undefined || contents === undefined) return
    const length = lengthOf(contents)
    const sum = [...this.#kept.values()].reduce((all, one) => all + one, length)
    if (again && sum <= KEPT) this.#kept.set(key, length)
    else this.#entries.set(key, { ...entry, wanted: { ...entry.wanted, contents: digestsOf(contents) } })
  }

  /**
   * Marks the profiles of this node to be compiled again, because the node has changed.
   * @param enforcer the only enforcer whose profiles are marked
   * @returns keys of ArmorProfiles that the actor has to check again
   */
  recompile(enforcer?: KernelEnforcer): string[] {
    this.#nodes++
    const keys: string[] = []
    for (const [key, { carried, wanted, ...entry }] of this.#entries) {
      if (carried === undefined || (enforcer !== undefined && !isOf(carried, enforcer))) continue
      const { conflict, leftOut, ...rest } = wanted
      this.#entries.set(key, { ...entry, carried, wanted: { ...rest, contents: undefined }, node: this.#nodes })
      keys.push(key)
    }
    return keys
  }

  delete(key: string): string[] {
    const others = this.#remove(key)
    this.#entries.delete(key)
    return [...new Set([key, ...others])]
  }

  /** Follows a reflector of ArmorProfiles. @param onChange called with each key that the actor has to check again */
  handler(onChange: (key: string) => void): Handler<ArmorProfile> {
    return {
      name: 'loaded-profile',
      handle: (change: Change<ArmorProfile>) => {
        const keys = change.type === 'deleted' ? this.delete(change.key) : this.set(change.key, change.object)
        for (const key of keys) onChange(key)
      },
    }
  }

  /**
   * Removes the key from its profile name.
   * @returns the other keys with this name
   */
  #remove(key: string): string[] {
    this.#bpfClaims = undefined
    const name = this.#entries.get(key)?.wanted.profile
    const keys = name === undefined ? undefined : this.#byName.get(name)
    if (name === undefined || keys === undefined) return []
    keys.delete(key)
    if (keys.size === 0) this.#byName.delete(name)
    return [...keys]
  }

  #holders(profile: string): string[] {
    return [...(this.#byName.get(profile) ?? [])].filter((key) => {
      const { leaving, strange } = this.#entries.get(key)!.wanted
      return !leaving && strange === undefined
    })
  }

  #ownerOf(profile: string): string | undefined {
    return this.#holders(profile).sort((a, b) => (this.#rankOf(a) < this.#rankOf(b) ? -1 : 1))[0]
  }

  /** A text that sorts older ArmorProfiles first. */
  #rankOf(key: string): string {
    return `${this.#entries.get(key)!.since} ${key}`
  }

  #claimsOfBpf(): Claims {
    const claims = new Map<string, Claim>()
    for (const [key, { wanted, bpfNamespace: namespace }] of this.#entries) {
      const { profile, strange } = wanted
      if (namespace === undefined || strange !== undefined) continue
      if ((this.#ownerOf(profile) ?? key) === key) claims.set(profile, { namespace, since: this.#rankOf(key) })
    }
    return claims
  }
}

function isOf({ enforcer }: { enforcer: string }, one: KernelEnforcer): boolean {
  const parsed = parseEnforcers(enforcer)
  return parsed.ok && parsed.enforcers.includes(one)
}

function loadFailure(error: unknown): LoadFailure {
  if (isLoadFailure(error)) return error
  throw error
}

/** The policy that owns the ArmorProfile, by its controller reference; undefined for an ArmorProfile without owner. */
export function policyOf({ metadata, spec }: ArmorProfile): PolicyIdentity | undefined {
  const owners = (metadata.ownerReferences ?? []) as OwnerReference[]
  const owner = owners.find(({ controller }) => controller === true)
  const kind = owner?.kind
  if (owner === undefined || (kind !== 'VarmorPolicy' && kind !== 'VarmorClusterPolicy')) return undefined
  const namespace = kind === 'VarmorPolicy' ? (metadata.namespace ?? 'default') : ''
  return { profileName: spec.profile.name, kind, name: owner.name, namespace }
}
