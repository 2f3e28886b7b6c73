import { expect } from 'chai'
import fc from 'fast-check'
import { keyOfPolicy } from '../../../actors/policy/policy-id.ts'
import { ProfileNames } from '../../../actors/policy/profile-names.ts'
import type { AnyPolicy, PolicyId } from '../../../actors/ports.ts'
import { profileNames } from '../../../src/api/profile-name.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'

const namespaced = (namespace: string, name: string): PolicyId => ({ kind: 'VarmorPolicy', namespace, name })
const rivals = [namespaced('team', 'prod-web'), namespaced('team-prod', 'web')] as const
const plain = 'varmor-team-prod-web'
const hashed = /^varmor-team-prod-web-[0-9a-f]{8}$/
/** The names that a policy may have, without the first. */
const hashes = ({ kind, namespace, name }: PolicyId, count: number): string[] => {
  const names = profileNames({ kind, metadata: { name, namespace } } as AnyPolicy)
  return Array.from({ length: count + 1 }, () => names.next().value).slice(1)
}

/** Policies and ArmorProfiles as a server stores them, and the names that managers derive from them. */
class Cluster {
  readonly policies = new Map<string, AnyPolicy>()
  readonly profiles = new Map<string, ArmorProfile>()
  #second = 0

  readonly stores = {
    policy: (id: PolicyId) => this.policies.get(keyOfPolicy(id)),
    profile: (namespace: string, name: string) => this.profiles.get(`${namespace}/${name}`),
  }

  manager(): ProfileNames {
    const names = new ProfileNames(this.stores, 'varmor')
    this.all(names)
    return names
  }

  all(names: ProfileNames): void {
    for (const { metadata } of this.profiles.values())
      names.profileChanged({ namespace: metadata.namespace ?? '', name: metadata.name })
    for (const { kind, metadata } of this.policies.values())
      names.policyChanged({ kind, namespace: metadata.namespace ?? '', name: metadata.name })
  }

  #now(): string {
    return new Date(Date.UTC(2026, 0, 1, 0, 0, this.#second++)).toISOString()
  }

  policy(id: PolicyId, stated?: string, creationTimestamp = this.#now()): void {
    const { kind, namespace, name } = id
    const metadata = { name, ...(namespace !== '' && { namespace }), creationTimestamp }
    const status = stated === undefined ? {} : { status: { profileName: stated } }
    this.policies.set(keyOfPolicy(id), { kind, metadata, ...status } as AnyPolicy)
  }

  profile({ kind, name: owner, namespace: home }: PolicyId, name: string, namespace = home || 'varmor'): void {
    const ownerReferences = [{ kind, name: owner, uid: 'u', controller: true }]
    const metadata = { name, namespace, creationTimestamp: this.#now(), ownerReferences }
    this.profiles.set(`${namespace}/${name}`, { metadata } as unknown as ArmorProfile)
  }

  /**
   * Acts as the leader: decides, and creates the ArmorProfile.
   * @returns the name
   */
  establish(names: ProfileNames, id: PolicyId): string {
    names.claim(id)
    const { name } = names.of(id)
    this.profile(id, name)
    this.all(names)
    return name
  }
}

describe('names of profiles', () => {
  it('are plain for the first policy, and have a hash for the second policy, whichever is asked for first', () => {
    for (const [first, second] of [rivals, [...rivals].reverse()] as const) {
      const cluster = new Cluster()
      cluster.policy(first!)
      cluster.policy(second!)
      const names = cluster.manager()
      expect(names.of(first!).name).to.equal(plain)
      expect(names.of(second!).name).to.match(hashed)
      expect(names.of(second!).isSettled).to.equal(false)
    }
  })

  it('stay with their policies: in another order, after a restart, and when the other policy is deleted', () => {
    const [one, other] = rivals
    const cluster = new Cluster()
    const names = cluster.manager()
    // Both policies were created in the same second, and the leader saw `one` first.
    cluster.policy(other, undefined, '2026-01-01T00:00:00Z')
    cluster.all(names)
    expect(cluster.establish(names, other)).to.equal(plain)
    cluster.policy(one, undefined, '2026-01-01T00:00:00Z')
    cluster.all(names)
    const second = cluster.establish(names, one)
    expect(second).to.match(hashed)
    for (const manager of [names, cluster.manager()])
      expect(rivals.map((id) => manager.of(id))).to.deep.equal([
        { name: second, isSettled: true, profileId: { namespace: 'team', name: second } },
        { name: plain, isSettled: true, profileId: { namespace: 'team-prod', name: plain } },
      ])
    cluster.policies.delete(keyOfPolicy(other))
    cluster.profiles.delete(`team-prod/${plain}`)
    names.policyChanged(other)
    names.profileChanged({ namespace: 'team-prod', name: plain })
    for (const manager of [names, cluster.manager()]) expect(manager.of(one).name).to.equal(second)
  })

  it('are free again once the policy is gone, even if a leader decides after that', () => {
    const [one, other] = rivals
    const cluster = new Cluster()
    cluster.policy(one)
    const names = cluster.manager()
    cluster.policies.delete(keyOfPolicy(one))
    names.policyChanged(one)
    // The actor of the policy still had a message.
    names.claim(one)
    cluster.policy(other)
    cluster.all(names)
    expect(names.of(other).name).to.equal(plain)
  })

  it('are decided one after the other, before any write', () => {
    const [one, other] = rivals
    const cluster = new Cluster()
    const names = cluster.manager()
    cluster.policy(one, undefined, '2026-01-01T00:00:00Z')
    cluster.all(names)
    names.claim(one)
    // By its creation time the other policy is older, but the leader did not know it when it decided.
    cluster.policy(other, undefined, '2025-01-01T00:00:00Z')
    cluster.all(names)
    expect([names.of(one).name, names.of(one).isSettled]).to.deep.equal([plain, true])
    expect(names.of(other).name).to.match(hashed)
    names.dropClaims()
    expect(names.of(other).name).to.equal(plain)
  })

  it('of before this rule: the older ArmorProfile keeps the name that two have, and the other policy gets one of its own', () => {
    const [one, other] = rivals
    const cluster = new Cluster()
    for (const id of rivals) cluster.policy(id, plain)
    cluster.profile(other, plain)
    cluster.profile(one, plain)
    const names = cluster.manager()
    expect(names.of(other)).to.deep.equal({
      ...{ name: plain, isSettled: true },
      profileId: { namespace: 'team-prod', name: plain },
    })
    expect(names.of(one).name).to.match(hashed)
    // The policy still has its profile, which must be removed.
    expect(names.of(one).profileId).to.deep.equal({ namespace: 'team', name: plain })
  })

  it('that a status states count while there is no ArmorProfile, unless they are none of the policy’s', () => {
    const [one, other] = rivals
    const cluster = new Cluster()
    const [own] = hashes(other, 1)
    cluster.policy(one)
    cluster.policy(other, plain)
    expect(cluster.manager().of(other)).to.include({ name: plain, isSettled: true })
    expect(cluster.manager().of(one).name).to.match(hashed)
    cluster.policy(other, own)
    expect(cluster.manager().of(other).name).to.equal(own)
    expect(cluster.manager().of(one).name).to.equal(plain)
    cluster.policy(other, 'varmor-victim-web')
    expect(cluster.manager().of(other).name).to.match(hashed)
  })

  it('cannot be taken from a policy by another one that is called like its hash, however often', () => {
    const [victim] = rivals
    const cluster = new Cluster()
    const names = cluster.manager()
    for (const name of ['varmor-team-prod-web', ...hashes(victim, 20)])
      cluster.policy(namespaced('team-prod', name.slice('varmor-team-prod-'.length)))
    cluster.all(names)
    const taken = [...cluster.policies.values()].map(({ metadata }) =>
      cluster.establish(names, namespaced('team-prod', metadata.name)),
    )
    cluster.policy(victim)
    cluster.all(names)
    const name = cluster.establish(names, victim)
    expect(name).to.match(hashed)
    expect(taken).to.not.include(name)
  })

  it('of cluster policies and of namespaced ones are apart, also where their ArmorProfiles would be one object', () => {
    const cases: [PolicyId, PolicyId, string][] = [
      [{ kind: 'VarmorClusterPolicy', namespace: '', name: 'web' }, namespaced('cluster', 'varmor-web'), 'varmor'],
      [{ kind: 'VarmorClusterPolicy', namespace: '', name: 'web' }, namespaced('cluster', 'cluster-web'), 'cluster'],
    ]
    for (const [one, other, installNamespace] of cases)
      for (const order of [
        [one, other],
        [other, one],
      ]) {
        const cluster = new Cluster()
        for (const id of order) cluster.policy(id)
        const names = new ProfileNames(cluster.stores, installNamespace)
        cluster.all(names)
        const made = order.map((id) => {
          names.claim(id)
          const { name, profileId } = names.of(id)
          cluster.profile(id, name, profileId.namespace)
          cluster.all(names)
          return name
        })
        expect(made[1]).to.match(/-[0-9a-f]{8}$/)
        expect(made[0]).to.equal(made[1]!.slice(0, -9))
      }
  })

  it('are not given up for an ArmorProfile that names a policy of another namespace as its owner', () => {
    const [one, other] = rivals
    const cluster = new Cluster()
    cluster.policy(one)
    cluster.profile({ kind: 'VarmorClusterPolicy', namespace: '', name: 'web' }, plain, other.namespace)
    expect(cluster.manager().of(one).name).to.equal(plain)
  })

  it('notify listeners of policies with a new name', () => {
    const [one, other] = rivals
    const cluster = new Cluster()
    const names = cluster.manager()
    const changed: string[] = []
    const end = names.subscribe((key) => changed.push(key))
    cluster.policy(one)
    cluster.policy(other)
    cluster.all(names)
    changed.length = 0
    cluster.policies.delete(keyOfPolicy(one))
    names.policyChanged(one)
    expect(changed).to.deep.equal([keyOfPolicy(other)])
    expect(names.of(other).name).to.equal(plain)
    end()
  })

  it('of any policies, claimed and established in any order, are different; another manager says the same', () => {
    const ids = ['team', 'team-prod', 'team-prod-web'].flatMap((namespace) =>
      ['web', 'prod-web', 'prod', 'web-x', ...hashes(rivals[0], 2).map((name) => name.slice(-12))].map((name) =>
        namespaced(namespace, name),
      ),
    )
    const step = fc.record({ id: fc.constantFrom(...ids), do: fc.constantFrom('make', 'claim', 'establish', 'remove') })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const cluster = new Cluster()
        const names = cluster.manager()
        const alive = () => ids.filter((id) => cluster.policies.has(keyOfPolicy(id)))
        const hasProfile = (id: PolicyId) => cluster.profiles.has(`${id.namespace}/${names.of(id).name}`)
        for (const { id, do: what } of steps) {
          const exists = cluster.policies.has(keyOfPolicy(id))
          if (what === 'make' && !exists) cluster.policy(id)
          else if (what === 'claim' && exists) names.claim(id)
          else if (what === 'establish' && exists && !hasProfile(id)) cluster.establish(names, id)
          else if (what === 'remove' && exists) {
            const { profileId } = names.of(id)
            cluster.profiles.delete(`${profileId.namespace}/${profileId.name}`)
            cluster.policies.delete(keyOfPolicy(id))
            names.profileChanged(profileId)
          }
          names.policyChanged(id)
          const settled = alive().filter((one) => names.of(one).isSettled)
          expect(new Set(settled.map((one) => names.of(one).name)).size).to.equal(settled.length)
        }
        const established = alive().filter(hasProfile)
        const successor = cluster.manager()
        for (const id of established) expect(successor.of(id)).to.deep.equal(names.of(id))
        for (const id of alive()) cluster.establish(names, id)
        expect(new Set(alive().map((id) => names.of(id).name)).size).to.equal(alive().length)
      }),
      { numRuns: 300 },
    )
  })
})
