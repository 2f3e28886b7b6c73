import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { EnforcerListings } from '../../../actors/loaded-profile/enforcer-listings.ts'
import { confiningProfiles, removeLeftovers } from '../../../src/agent/profiles/orphaned-profiles.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { allowed, FakeProfileLoader } from '../../fakes/profile-loader.ts'

describe('profiles of policies that went while no agent was there', () => {
  let appArmor: FakeProfileLoader
  let seccomp: FakeProfileLoader
  let listings: EnforcerListings
  beforeEach(() => {
    appArmor = new FakeProfileLoader('AppArmor')
    seccomp = new FakeProfileLoader('Seccomp')
    listings = new EnforcerListings({ AppArmor: appArmor, BPF: new FakeProfileLoader('BPF'), Seccomp: seccomp })
    for (const loader of [appArmor, seccomp])
      for (const name of ['varmor-demo-wanted', 'varmor-demo-old', 'varmor-demo-confines', 'varmor-demo-made'])
        loader.texts.set(name, 'rules')
  })
  const sweep = (ofContainers: ReadonlySet<string> | undefined) =>
    removeLeftovers({
      listings,
      wanted: { has: (profile) => profile === 'varmor-demo-wanted' },
      confining: async () => new Set(['varmor-demo-confines']),
      ofContainers: () => ofContainers,
    })

  it('go, unless a process or a pod still has them: these allow all', async () => {
    const report = await sweep(new Set(['varmor-demo-made']))
    expect(report.removed).to.deep.equal([
      { enforcer: 'AppArmor', profile: 'varmor-demo-old' },
      { enforcer: 'Seccomp', profile: 'varmor-demo-old' },
    ])
    expect(report.kept).to.have.length(4)
    for (const loader of [appArmor, seccomp])
      expect([...loader.texts]).to.deep.equal([
        ['varmor-demo-wanted', 'rules'],
        ['varmor-demo-confines', allowed],
        ['varmor-demo-made', allowed],
      ])
  })

  it('that are still used are freed once, and again when somebody has changed them', async () => {
    expect((await sweep(undefined)).freed).to.have.length(6)
    expect((await sweep(undefined)).freed).to.deep.equal([])
    seccomp.texts.set('varmor-demo-old', 'rules')
    await listings.refresh()
    expect((await sweep(undefined)).freed).to.deep.equal([{ enforcer: 'Seccomp', profile: 'varmor-demo-old' }])
  })

  it('stay while the containers are not known, and go later', async () => {
    expect((await sweep(undefined)).kept).to.have.length(6)
    expect(appArmor.texts.size).to.equal(4)
    expect((await sweep(new Set())).removed).to.have.length(4)
  })

  for (const [what, use] of [
    ['wanted', { wanted: true }],
    ['run in', { confining: true }],
    ['named by a pod', { named: true }],
  ] as const)
    it(`stay where they come to be ${what} while they wait to go`, async () => {
      const old = 'varmor-demo-old'
      let now: { wanted?: boolean; confining?: boolean; named?: boolean } = {}
      appArmor.pause = async () => {
        if (appArmor.calls.at(-1) === `unload ${old}`) now = use
      }
      const { failed } = await removeLeftovers({
        listings: new EnforcerListings({
          AppArmor: appArmor,
          BPF: new FakeProfileLoader('BPF'),
          Seccomp: new FakeProfileLoader('Seccomp'),
        }),
        wanted: { has: (profile) => profile !== old || now.wanted === true },
        confining: async () => new Set(now.confining ? [old] : []),
        ofContainers: () => new Set(now.named ? [old] : []),
      })
      expect(failed.map(({ enforcer, profile }) => `${enforcer} ${profile}`)).to.deep.equal([`AppArmor ${old}`])
      expect(appArmor.texts.get(old)).to.equal('rules')
    })

  it('do not count as there while they wait to go: who wants them meanwhile has them loaded again', async () => {
    const digests = async (): Promise<(string | undefined)[]> => {
      const listing = await listings.listing('AppArmor')
      return [listing.get('varmor-demo-old'), listing.get('varmor-demo-confines')]
    }
    expect(await digests()).not.to.include.oneOf(['', undefined])
    const going = [
      listings.unload('AppArmor', 'varmor-demo-old', async () => false),
      listings.free('AppArmor', 'varmor-demo-confines'),
    ]
    expect(await digests()).to.deep.equal(['', ''])
    await Promise.all(going)
    expect((await digests())[0]).to.equal(undefined)
  })

  it('that cannot go are named, and do not keep the others', async () => {
    appArmor.unloadFaults = [new EnforcerError('KERNEL_REFUSED', 'unload', { reason: 'busy' })]
    const report = await sweep(new Set())
    expect(report.failed).to.deep.equal([{ enforcer: 'AppArmor', profile: 'varmor-demo-old', reason: 'unload: busy' }])
    expect(report.removed).to.have.length(3)
  })

  it('are found by the labels of processes', async () => {
    const root = mkdtempSync(join(tmpdir(), 'varmor-proc-'))
    try {
      const labels: [pid: string, file: string, label: string][] = [
        ['1', 'attr/current', 'unconfined\n'],
        ['7', 'attr/current', 'varmor-demo-a (enforce)\n'],
        ['8', 'attr/current', 'varmor-demo-b//child_0 (complain)\0'],
        ['9', 'attr/apparmor/current', 'cri-containerd.apparmor.d//&varmor-demo-c (enforce)'],
        ['self', 'attr/current', 'varmor-demo-no (enforce)'],
      ]
      for (const [pid, file, label] of labels) {
        mkdirSync(join(root, pid, file, '..'), { recursive: true })
        writeFileSync(join(root, pid, file), label)
      }
      mkdirSync(join(root, '10'))
      expect([...(await confiningProfiles(root))].sort()).to.deep.equal([
        'varmor-demo-a',
        'varmor-demo-b',
        'varmor-demo-c',
      ])
      await confiningProfiles()
    } finally {
      rmSync(root, { recursive: true })
    }
  })
})
