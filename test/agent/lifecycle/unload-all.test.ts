import { expect } from 'chai'
import { unloadAll } from '../../../src/agent/lifecycle/unload-all.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { FakeProfileLoader } from '../../fakes/profile-loader.ts'

const refused = () => new EnforcerError('IO', 'remove the profile', { reason: 'read-only file system' })

describe('an agent that takes its profiles with it', () => {
  const loaded = async (): Promise<FakeProfileLoader> => {
    const loader = new FakeProfileLoader('Seccomp')
    for (const name of ['varmor-a', 'varmor-b']) await loader.load(name, '{}')
    return loader
  }

  it('unloads all of them', async () => {
    const loader = await loaded()
    expect(await unloadAll(loader)).to.deep.equal({ removed: ['varmor-a', 'varmor-b'], failed: [] })
    expect(loader.texts.size).to.equal(0)
  })

  it('goes on after one that cannot be unloaded, and names it', async () => {
    const loader = await loaded()
    loader.unloadFaults.push(refused())
    const { removed, failed } = await unloadAll(loader)
    expect(removed).to.deep.equal(['varmor-b'])
    expect(failed).to.have.length(1)
    expect(failed[0]).to.include({ profile: 'varmor-a' })
    expect(failed[0]?.reason).to.match(/read-only/)
  })

  it('says so when it cannot even list them', async () => {
    const loader = await loaded()
    loader.listFaults.push(refused())
    const { removed, failed } = await unloadAll(loader)
    expect(removed).to.deep.equal([])
    expect(failed).to.have.length(1)
  })
})
