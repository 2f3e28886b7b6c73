import { expect } from 'chai'
import { unloadAtEnd } from '../../../src/agent/lifecycle/unload-at-end.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import type { Loaders } from '../../../src/enforcer/ports.ts'
import { FakeProfileLoader } from '../../fakes/profile-loader.ts'

const warned: object[] = []
const logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (fields: object, message: string) => void warned.push({ ...fields, message }),
  error: () => undefined,
}
const none = { AppArmor: false, Seccomp: false, BPF: false }

describe('what an agent does with profiles when it ends', () => {
  const enforcers = ['AppArmor', 'BPF', 'Seccomp'] as const
  let loaders: Record<(typeof enforcers)[number], FakeProfileLoader>
  let bpfEnded: number
  let ownFaults: EnforcerError[]
  let leftThen: string[][] | undefined
  let scans: number
  let scanFault: Error | undefined
  beforeEach(async () => {
    bpfEnded = 0
    ownFaults = []
    scans = 0
    scanFault = undefined
    warned.length = 0
    leftThen = undefined
    loaders = Object.fromEntries(enforcers.map((name) => [name, new FakeProfileLoader(name)])) as typeof loaders
    for (const loader of Object.values(loaders))
      for (const name of ['varmor-used', 'varmor-unused']) await loader.load(name, 'confines')
  })
  const usedByPod = (): ReadonlySet<string> | undefined => new Set(['varmor-used'])
  const end = (uninstalled: boolean, always = none, ofContainers = usedByPod, timeout = 0) =>
    unloadAtEnd({
      ...{
        loaders: loaders as unknown as Loaders,
        always,
        uninstalled,
        ofContainers,
        logger,
        clock: systemClock,
        timeout,
      },
      confining: async () => {
        scans++
        if (scanFault !== undefined) throw scanFault
        return new Set<string>()
      },
      removeOwn: async () => {
        leftThen = left()
        const [fault] = ownFaults
        if (fault !== undefined) throw fault
        return true
      },
      endBpf: async () => {
        bpfEnded++
      },
    })
  const left = () => enforcers.map((name) => [...loaders[name].texts.keys()].sort())

  it('leaves all of them: enforcement goes on without it', async () => {
    await end(false)
    const both = ['varmor-unused', 'varmor-used']
    expect(left()).to.deep.equal([both, both, both])
    expect(bpfEnded).to.equal(0)
  })

  it('takes those of an enforcer along if asked, in any case', async () => {
    await end(false, { ...none, Seccomp: true })
    expect(left()[2]).to.deep.equal([])
    expect(left()[0]).to.have.length(2)
  })

  it('takes all along when vArmor is uninstalled, but what a pod names, which allows all then', async () => {
    await end(true)
    expect(left()).to.deep.equal([['varmor-used'], [], ['varmor-used']])
    for (const name of ['AppArmor', 'Seccomp'] as const)
      expect(loaders[name].texts.get('varmor-used')).not.to.equal('confines')
    expect(bpfEnded).to.equal(1)
  })

  it('frees all when it is not known which of them pods name', async () => {
    await end(true, none, () => undefined)
    expect(left()).to.deep.equal([['varmor-unused', 'varmor-used'], [], ['varmor-unused', 'varmor-used']])
  })

  it('ends BPF before it waits for anything: on a slow node it may be killed', async () => {
    let endedAtFirstLook: number | undefined
    await end(true, none, () => {
      endedAtFirstLook ??= bpfEnded
      return usedByPod()
    })
    expect(endedAtFirstLook).to.equal(1)
  })

  it('looks at all processes once for all that go at a time: many looks take longer than the kubelet waits', async () => {
    loaders.AppArmor.texts.clear()
    loaders.Seccomp.texts.clear()
    for (let i = 0; i < 100; i++) loaders.AppArmor.texts.set(`varmor-demo-${i}`, 'confines')
    await end(true)
    expect(loaders.AppArmor.texts.size).to.equal(0)
    // One scan at the start, and one for each fifty profiles.
    expect(scans).to.equal(3)
  })

  it('waits for pods that are on their way out', async () => {
    let looks = 0
    await end(true, none, () => (++looks > 2 ? new Set() : usedByPod()), 120_000)
    expect(left()).to.deep.equal([[], [], []])
  })

  it('takes its own profile along then, before it waits for anything, and ends well without', async () => {
    await end(false, { ...none, Seccomp: true })
    expect(leftThen).to.equal(undefined)
    await end(true)
    expect(leftThen).to.deep.equal([['varmor-unused', 'varmor-used'], [], []])
    ownFaults.push(new EnforcerError('IO', 'remove', { reason: 'it may not' }))
    await end(true)
  })

  it('goes on with the others where an enforcer cannot be listed', async () => {
    loaders.AppArmor.listFaults.push(new EnforcerError('IO', 'list profiles', { reason: 'it is not there' }))
    await end(true)
    expect(left()[2]).to.deep.equal(['varmor-used'])
  })

  it('leaves profiles where it cannot be known what runs in them, says so, and goes on with the others', async () => {
    scanFault = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })
    await end(true, { ...none, Seccomp: true })
    expect(left()).to.deep.equal([['varmor-unused', 'varmor-used'], [], []])
    expect(warned).to.deep.equal([
      {
        enforcer: 'AppArmor',
        reason: 'EMFILE: too many open files',
        message: 'cannot find the processes in the profiles; the profiles stay loaded',
      },
    ])
  })
})
