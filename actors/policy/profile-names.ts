import { mayBeCalled, type PolicyIdentity, profileName, profileNames } from '../../src/api/profile-name.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import type { AnyPolicy, ControlPlaneStores, PolicyId } from '../ports.ts'
import { ownerOf } from './desired.ts'
import { identityOf, keyOfPolicy, keyOfProfile, type ProfileId, profileIdOf } from './policy-id.ts'

/** The name of a policy's profile. */
export interface Naming {
  /** The name in force, as in the status, the ArmorProfile and pods. */
  name: string
  /**
   * True if the name is stored, or if this leader has decided it. If false, it is the name that a leader will probably
   * decide.
   */
  isSettled: boolean
  /** The policy's ArmorProfile, whose name may be outdated; without one, the future ArmorProfile. */
  profileId: ProfileId
}

interface Known {
  id: PolicyId
  identity: PolicyIdentity
  /** Orders policies by age: the older policy has the smaller rank. */
  rank: string
  plain: string
  /** The name in the policy's status, if it is valid. */
  stated: string | undefined
}

interface Resolved {
  naming: Naming
  /** Names that were tried first: the policy gets a better name when another policy frees it. */
  looked: readonly string[]
}

interface Held {
  id: ProfileId
  owner: string
  rank: string
}

/**
 * Assigns names to policies' profiles. Two policies can lead to one name (`team/prod-web`, `team-prod/web`), but a name
 * in the nodes' kernels must belong to one policy. Objects store the names, so a restarted manager decides the same.
 */
export class ProfileNames {
  readonly #stores: Pick<ControlPlaneStores, 'policy' | 'profile'>
  readonly #installNamespace: string
  readonly #policies = new Map<string, Known>()
  readonly #profiles = new Map<string, Held>()
  readonly #profilesOf = new Lists()
  readonly #profilesCalled = new Lists()
  readonly #claims = new Map<string, string>()
  /**
   * Policies by the names that they would have without other policies: claimed, in their status, or the first possible
   * name.
   */
  readonly #wishing = new Lists()
  readonly #namings = new Map<string, Resolved>()
  /** Policies by the names that were considered for them. */
  readonly #concerned = new Lists()
  readonly #listeners = new Set<(policyKey: string) => void>()

  constructor(stores: Pick<ControlPlaneStores, 'policy' | 'profile'>, installNamespace: string) {
    this.#stores = stores
    this.#installNamespace = installNamespace
  }

  /** Calls the listener with each policy whose name changes. @returns a function that removes the listener */
  subscribe(listener: (policyKey: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  of(id: PolicyId): Naming {
    return this.#namings.get(keyOfPolicy(id))?.naming ?? this.#resolve(keyOfPolicy(id), id).naming
  }

  /** Whether the ArmorProfile belongs to an existing policy. */
  isOwn({ metadata: { namespace = '', name } }: ArmorProfile): boolean {
    const key = keyOfProfile({ namespace, name })
    const naming = this.#namings.get(this.#profiles.get(key)?.owner ?? '')?.naming
    return naming !== undefined && keyOfProfile(naming.profileId) === key
  }

  /** The leader assigns the name to the policy permanently. */
  claim(id: PolicyId): void {
    const key = keyOfPolicy(id)
    if (!this.#policies.has(key)) return
    const { name } = this.of(id)
    if (this.#claims.get(key) !== name) this.#change([key], () => void this.#claims.set(key, name))
  }

  /** The leader's term has ended: from now on only stored names count. */
  dropClaims(): void {
    this.#change([...this.#claims.keys()], () => this.#claims.clear())
  }

  /** The policy has changed; reads its state from the store. */
  policyChanged(id: PolicyId): void {
    const key = keyOfPolicy(id)
    const policy = this.#stores.policy(id)
    const [before, after] = [this.#policies.get(key), policy && this.#known(id, policy)]
    if (before?.rank === after?.rank && before?.stated === after?.stated) return
    this.#change([key], () => {
      if (after !== undefined) this.#policies.set(key, after)
      else {
        this.#policies.delete(key)
        this.#claims.delete(key)
      }
    })
  }

  /** The ArmorProfile has changed; reads its state from the store. */
  profileChanged(id: ProfileId): void {
    const key = keyOfProfile(id)
    const [before, after] = [this.#profiles.get(key), this.#held(id)]
    if (before?.owner === after?.owner && before?.rank === after?.rank) return
    const owners = [before, after].flatMap((one) => (one === undefined ? [] : [one.owner]))
    this.#change(
      owners,
      () => {
        if (before !== undefined) {
          this.#profilesOf.remove(before.owner, key)
          this.#profilesCalled.remove(id.name, key)
        }
        this.#profiles.delete(key)
        if (after === undefined) return
        this.#profiles.set(key, after)
        this.#profilesOf.add(after.owner, key)
        this.#profilesCalled.add(id.name, key)
      },
      id.name,
    )
  }

  #known(id: PolicyId, { metadata, status }: AnyPolicy): Known {
    const identity = identityOf(id)
    const stated = status?.profileName
    return {
      id,
      identity,
      rank: rankOf(metadata.creationTimestamp, keyOfPolicy(id)),
      plain: profileName(identity, this.#installNamespace),
      stated: stated !== undefined && mayBeCalled(stated, identity, this.#installNamespace) ? stated : undefined,
    }
  }

  /** Undefined if the ArmorProfile does not exist, or if its policy cannot own it. */
  #held(id: ProfileId): Held | undefined {
    const profile = this.#stores.profile(id.namespace, id.name)
    const owner = profile && ownerOf(profile)
    if (profile === undefined || owner === undefined) return undefined
    const { kind, name } = owner
    if (kind !== 'VarmorPolicy' && kind !== 'VarmorClusterPolicy') return undefined
    const policy: PolicyId = { kind, namespace: kind === 'VarmorPolicy' ? id.namespace : '', name }
    if (profileIdOf(policy, this.#installNamespace).namespace !== id.namespace) return undefined
    return { id, owner: keyOfPolicy(policy), rank: rankOf(profile.metadata.creationTimestamp, keyOfProfile(id)) }
  }

  /** Changes the facts about policies, then updates the names that depend on them. */
  #change(keys: readonly string[], change: () => void, ...more: string[]): void {
    const before = keys.map((key) => this.#wishes(key))
    change()
    const after = keys.map((key) => this.#wishes(key))
    keys.forEach((key, i) => void this.#wishing.replace(key, before[i]!, after[i]!))
    const due = new Set(keys)
    for (const name of [...more, ...before.flat(), ...after.flat()])
      for (const key of this.#concerned.of(name)) due.add(key)
    const changed = [...due].filter((key) => this.#updateName(key))
    for (const key of changed) for (const listener of this.#listeners) listener(key)
  }

  #wishes(key: string): string[] {
    const { plain, stated } = this.#policies.get(key) ?? {}
    return [plain, stated, this.#claims.get(key)].filter((name) => name !== undefined)
  }

  /** @returns whether the policy's name changed */
  #updateName(key: string): boolean {
    const before = this.#namings.get(key)
    const known = this.#policies.get(key)
    const after = known && this.#resolve(key, known.id)
    this.#concerned.replace(key, before?.looked ?? [], after?.looked ?? [])
    if (after === undefined) this.#namings.delete(key)
    else this.#namings.set(key, after)
    return after !== undefined && before?.naming.name !== after.naming.name
  }

  #resolve(key: string, id: PolicyId): Resolved {
    const fresh = profileIdOf(id, this.#installNamespace)
    const own = [...this.#profilesOf.of(key)].map((one) => this.#profiles.get(one)!).sort(byRank)
    const looked = own.map((one) => one.id.name)
    const kept = own.find((one) => this.#holder(one.id.name) === key)
    if (kept !== undefined) return { naming: { name: kept.id.name, isSettled: true, profileId: kept.id }, looked }
    const settle = (name: string, isSettled: boolean) => ({
      naming: { name, isSettled, profileId: own[0]?.id ?? { ...fresh, name } },
      looked,
    })
    const said = [this.#claims.get(key), this.#policies.get(key)?.stated]
    for (const name of said) {
      if (name === undefined) continue
      looked.push(name)
      if (this.#isFree(name, key)) return settle(name, true)
    }
    for (const name of profileNames(identityOf(id), this.#installNamespace)) {
      looked.push(name)
      if (this.#isFree(name, key)) return settle(name, false)
    }
    throw new Error('there is always a name that is free')
  }

  /** The policy whose ArmorProfile has the name, which it keeps; if several have this name, the oldest policy. */
  #holder(name: string): string | undefined {
    return [...this.#profilesCalled.of(name)].map((key) => this.#profiles.get(key)!).sort(byRank)[0]?.owner
  }

  #isFree(name: string, key: string): boolean {
    const holder = this.#holder(name)
    if (holder !== undefined && holder !== key) return false
    for (const other of this.#wishing.of(name)) if (other !== key && this.#goesBefore(other, key, name)) return false
    return true
  }

  /** Whether the other policy has a stronger claim to a name that no ArmorProfile has. */
  #goesBefore(other: string, key: string, name: string): boolean {
    const [theirs, ours] = [this.#strength(other, name), this.#strength(key, name)]
    if (theirs !== ours) return theirs > ours
    return theirs > 0 && (this.#policies.get(other)?.rank ?? '') < (this.#policies.get(key)?.rank ?? '~')
  }

  /**
   * How strong a policy's claim to the name is: 3 if the leader decided it, 2 if it is in the status, 1 by age, 0 if
   * the policy has another name.
   */
  #strength(key: string, name: string): number {
    if ([...this.#profilesOf.of(key)].some((one) => this.#holder(this.#profiles.get(one)!.id.name) === key)) return 0
    const claimed = this.#claims.get(key)
    if (claimed !== undefined) return claimed === name ? 3 : 0
    const { stated, plain } = this.#policies.get(key) ?? {}
    if (stated === name) return 2
    return stated === undefined && plain === name ? 1 : 0
  }
}

/** A policy without a creation time is not stored yet, so it is the youngest. */
const rankOf = (time: unknown, key: string): string => `${typeof time === 'string' ? time : '~'} ${key}`

const byRank = (one: { rank: string }, other: { rank: string }): number => (one.rank < other.rank ? -1 : 1)

/** A set of keys for each name. */
class Lists {
  readonly #sets = new Map<string, Set<string>>()

  of(name: string): Iterable<string> {
    return this.#sets.get(name) ?? []
  }

  add(name: string, key: string): void {
    const set = this.#sets.get(name)
    if (set === undefined) this.#sets.set(name, new Set([key]))
    else set.add(key)
  }

  /** Moves the key from the names `before` to the names `after`. */
  replace(key: string, before: readonly string[], after: readonly string[]): void {
    for (const name of before) if (!after.includes(name)) this.remove(name, key)
    for (const name of after) this.add(name, key)
  }

  remove(name: string, key: string): void {
    const set = this.#sets.get(name)
    set?.delete(key)
    if (set?.size === 0) this.#sets.delete(name)
  }
}
