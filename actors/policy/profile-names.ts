import { mayBeCalled, type PolicyIdentity, profileName, profileNames } from '../../src/api/profile-name.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import type { AnyPolicy, ControlPlaneStores, PolicyId } from '../ports.ts'
import { ownerOf } from './desired.ts'
import { identityOf, keyOfPolicy, keyOfProfile, type ProfileId, profileIdOf } from './policy-id.ts'

/** What a policy's profile is called. */
export interface Naming {
  /** The name that counts, in status, ArmorProfile and pods. */
  name: string
  /** It is written somewhere, or this leader has decided it. Else it is what a leader is expected to decide. */
  isSettled: boolean
  /** The ArmorProfile that the policy has: of this name, or of another one that it has to give up; else where it will be. */
  profileId: ProfileId
}

interface Known {
  id: PolicyId
  identity: PolicyIdentity
  /** Whoever came first has the lesser one. */
  rank: string
  plain: string
  /** What its status says, where that may be. */
  stated: string | undefined
}

interface Resolved {
  naming: Naming
  /** The names that were looked at: one of another policy may become free. */
  looked: readonly string[]
}

interface Held {
  id: ProfileId
  owner: string
  rank: string
}

/**
 * Which policy's profile has which name. Two policies may come to one (`team/prod-web`, `team-prod/web`), and a name in the kernel of
 * all nodes must be of one policy only. Who has an ArmorProfile keeps its name; of two that have, the one that is older. Else it is
 * the leader that decides, one after the other (`claim`), then what a status says, then who came first. What is stored says it all, so
 * that a manager that starts anew says the same.
 */
export class ProfileNames {
  readonly #stores: Pick<ControlPlaneStores, 'policy' | 'profile'>
  readonly #installNamespace: string
  readonly #policies = new Map<string, Known>()
  readonly #profiles = new Map<string, Held>()
  readonly #profilesOf = new Lists()
  readonly #profilesCalled = new Lists()
  readonly #claims = new Map<string, string>()
  /** Policies by the names that they would have if nobody else had: claimed, stated, or their first. */
  readonly #wishing = new Lists()
  readonly #namings = new Map<string, Resolved>()
  /** Policies by the names that their naming depends on. */
  readonly #concerned = new Lists()
  readonly #listeners = new Set<(policyKey: string) => void>()

  constructor(stores: Pick<ControlPlaneStores, 'policy' | 'profile'>, installNamespace: string) {
    this.#stores = stores
    this.#installNamespace = installNamespace
  }

  /** Calls back with each policy that has another name now. @returns what ends it */
  subscribe(listener: (policyKey: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  of(id: PolicyId): Naming {
    return this.#namings.get(keyOfPolicy(id))?.naming ?? this.#resolve(keyOfPolicy(id), id).naming
  }

  /** Whether the ArmorProfile is the one of a policy that exists. */
  isOwn({ metadata: { namespace = '', name } }: ArmorProfile): boolean {
    const key = keyOfProfile({ namespace, name })
    const naming = this.#namings.get(this.#profiles.get(key)?.owner ?? '')?.naming
    return naming !== undefined && keyOfProfile(naming.profileId) === key
  }

  /** The leader has decided: the name is the policy's, whatever comes. */
  claim(id: PolicyId): void {
    const key = keyOfPolicy(id)
    const { name } = this.of(id)
    if (this.#claims.get(key) !== name) this.#change([key], () => void this.#claims.set(key, name))
  }

  /** The term of the leader has ended: from now on what is stored counts. */
  dropClaims(): void {
    this.#change([...this.#claims.keys()], () => this.#claims.clear())
  }

  /** Something of the policy has changed; what it is now is read from the store. */
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

  /** Something of the ArmorProfile has changed; what it is now is read from the store. */
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

  /** Undefined where there is none, or none of a policy that it can be of. */
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

  /** Changes what is known of policies, and then the names that depend on it. */
  #change(keys: readonly string[], change: () => void, ...more: string[]): void {
    const before = keys.map((key) => this.#wishes(key))
    change()
    const after = keys.map((key) => this.#wishes(key))
    keys.forEach((key, i) => void this.#wishing.replace(key, before[i]!, after[i]!))
    const due = new Set(keys)
    for (const name of [...more, ...before.flat(), ...after.flat()])
      for (const key of this.#concerned.of(name)) due.add(key)
    const changed = [...due].filter((key) => this.#nameAnew(key))
    for (const key of changed) for (const listener of this.#listeners) listener(key)
  }

  #wishes(key: string): string[] {
    const { plain, stated } = this.#policies.get(key) ?? {}
    return [plain, stated, this.#claims.get(key)].filter((name) => name !== undefined)
  }

  /** @returns whether it has another name now */
  #nameAnew(key: string): boolean {
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

  /** The policy whose ArmorProfile has the name; of several the one whose is the oldest. */
  #holder(name: string): string | undefined {
    return [...this.#profilesCalled.of(name)].map((key) => this.#profiles.get(key)!).sort(byRank)[0]?.owner
  }

  #isFree(name: string, key: string): boolean {
    const holder = this.#holder(name)
    if (holder !== undefined && holder !== key) return false
    for (const other of this.#wishing.of(name)) if (other !== key && this.#goesBefore(other, key, name)) return false
    return true
  }

  /** Whether the name is the other's rather than ours, though no ArmorProfile has it. */
  #goesBefore(other: string, key: string, name: string): boolean {
    const [theirs, ours] = [this.#strength(other, name), this.#strength(key, name)]
    if (theirs !== ours) return theirs > ours
    return theirs > 0 && (this.#policies.get(other)?.rank ?? '') < (this.#policies.get(key)?.rank ?? '~')
  }

  /** How good a policy's right to the name is: it was decided, is stated, or comes first; 0 for one that has another. */
  #strength(key: string, name: string): number {
    if ([...this.#profilesOf.of(key)].some((one) => this.#holder(this.#profiles.get(one)!.id.name) === key)) return 0
    const claimed = this.#claims.get(key)
    if (claimed !== undefined) return claimed === name ? 3 : 0
    const { stated, plain } = this.#policies.get(key) ?? {}
    if (stated === name) return 2
    return stated === undefined && plain === name ? 1 : 0
  }
}

/** One without a time was not stored yet, so it is the youngest. */
const rankOf = (time: unknown, key: string): string => `${typeof time === 'string' ? time : '~'} ${key}`

const byRank = (one: { rank: string }, other: { rank: string }): number => (one.rank < other.rank ? -1 : 1)

/** Several keys for each name, each once. */
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

  /** The key is under these names, and no longer under those of before. */
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
