import { expect } from 'chai'
import { profileName } from '../../src/api/profile-name.ts'

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
})
