import { expect } from 'chai'
import { mayBeCalled, type PolicyIdentity, profileName, profileNames } from '../../src/api/profile-name.ts'

describe('profileName', () => {
  it('is made of namespace and name', () => {
    expect(profileName({ kind: 'VarmorPolicy', metadata: { name: 'web', namespace: 'demo' } })).to.equal(
      'varmor-demo-web',
    )
  })

  it('takes the namespace default where none is given', () => {
    expect(profileName({ kind: 'VarmorPolicy', metadata: { name: 'web' } })).to.equal('varmor-default-web')
  })

  it('has the namespace of the installation for cluster policies, whatever their metadata say', () => {
    const policy = { kind: 'VarmorClusterPolicy', metadata: { name: 'web', namespace: 'demo' } } as const
    expect(profileName(policy)).to.equal('varmor-cluster-varmor-web')
    expect(profileName(policy, 'security')).to.equal('varmor-cluster-security-web')
  })

  it('is in lower case', () => {
    expect(profileName({ kind: 'VarmorPolicy', metadata: { name: 'Web', namespace: 'Demo' } })).to.equal(
      'varmor-demo-web',
    )
  })

  it('is shortened where it would be longer than 63 bytes, and ends in a hash of namespace and name', () => {
    const long = (name: string, namespace: string): PolicyIdentity => ({
      kind: 'VarmorPolicy',
      metadata: { name, namespace },
    })
    const whole = 'a'.repeat(51)
    expect(profileName(long(whole, 'demo'))).to.equal(`varmor-demo-${whole}`)
    const [one, other] = [`${whole}b`, `${whole}c`].map((name) => profileName(long(name, 'demo')))
    expect(one).to.match(/^varmor-demo-a{42}-[0-9a-f]{8}$/)
    expect(one).to.have.length(63)
    expect(other).to.not.equal(one)
    // The remainder of a shortened name must be a name that Kubernetes accepts.
    expect(profileName(long(`${'a'.repeat(41)}.${'b'.repeat(40)}`, 'demo'))).to.match(/^varmor-demo-a{41}-[0-9a-f]{8}$/)
  })
})

describe('profileNames', () => {
  const of = (namespace: string, name: string): PolicyIdentity => ({
    kind: 'VarmorPolicy',
    metadata: { name, namespace },
  })
  const first = (policy: PolicyIdentity, count: number): string[] => {
    const names = profileNames(policy)
    return Array.from({ length: count }, () => names.next().value)
  }

  it('begin with the plain one, and go on with others for each policy', () => {
    const [one, other] = [first(of('team', 'prod-web'), 4), first(of('team-prod', 'web'), 4)]
    expect(one[0]).to.equal('varmor-team-prod-web')
    expect(other[0]).to.equal(one[0])
    for (const name of [...one.slice(1), ...other.slice(1)]) expect(name).to.match(/^varmor-team-prod-web-[0-9a-f]{8}$/)
    expect(new Set([...one, ...other])).to.have.property('size', 7)
    expect(first(of('team', 'prod-web'), 4)).to.deep.equal(one)
  })

  it('are the policy’s, and no other name is', () => {
    const policy = of('team', 'prod-web')
    for (const name of first(policy, 5)) expect(mayBeCalled(name, policy), name).to.equal(true)
    for (const name of [
      'varmor-team-prod-db',
      'varmor-team-prod-web-x',
      'varmor-team-prod-web-0123456G',
      'varmor-team-prod',
    ])
      expect(mayBeCalled(name, policy), name).to.equal(false)
  })
})
