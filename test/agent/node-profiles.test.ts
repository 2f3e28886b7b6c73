import { expect } from 'chai'
import type { ProfileStanding } from '../../actors/loaded-profile/ports.ts'
import { Simulation } from '../../actors/runtime/index.ts'
import { NodeProfiles } from '../../src/agent/node-profiles.ts'
import { policyOf } from '../../src/agent/wanted-profiles.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import { noLogger } from '../../src/base/logger.ts'
import { EnforcerError } from '../../src/enforcer/enforcer-error.ts'
import { FakeProfileLoader } from '../fakes/profile-loader.ts'

const armorProfile = (name: string, metadata: object = {}): ArmorProfile =>
  ({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfile',
    metadata: { namespace: 'demo', name, uid: `u-${name}`, generation: 1, ...metadata },
    spec: { profile: { name, enforcer: 'Seccomp', mode: 'enforce', seccomp: '{}' } },
  }) as unknown as ArmorProfile

describe('the profiles of a node', () => {
  let simulation: Simulation
  let seccomp: FakeProfileLoader
  let node: NodeProfiles
  let inUse: Set<string> | undefined
  const reported = new Map<string, ProfileStanding>()
  const warnings: object[] = []
  const said: string[] = []
  const add = (object: ArmorProfile) =>
    node.handler.handle({ type: 'added', key: `demo/${object.metadata.name}`, object })

  beforeEach(() => {
    simulation = new Simulation()
    seccomp = new FakeProfileLoader('Seccomp')
    inUse = undefined
    reported.clear()
    warnings.length = 0
    said.length = 0
    const { system, clock, random } = simulation
    node = new NodeProfiles({
      system,
      loaders: { AppArmor: new FakeProfileLoader('AppArmor'), BPF: new FakeProfileLoader('BPF'), Seccomp: seccomp },
      reporter: { set: (standing) => reported.set(standing.key, standing), forget: (key) => reported.delete(key) },
      confining: async () => new Set<string>(),
      ofContainers: () => inUse,
      logger: {
        ...noLogger,
        info: (fields, message) => void said.push(`${message} ${JSON.stringify(fields)}`),
        warn: (fields, message) => {
          warnings.push(fields)
          said.push(`${message} ${JSON.stringify(fields)}`)
        },
      },
      ...{ clock, random },
    })
  })
  afterEach(async () => {
    node.stop()
    await simulation.stop()
    expect(simulation.clock.timers).to.equal(0)
  })

  it('follow the ArmorProfiles, reach the manager, and make the node ready', async () => {
    add(armorProfile('varmor-demo-a'))
    await simulation.settle()
    expect(node.readiness.report().ready).to.equal(false)
    await node.listed()
    expect(node.readiness.report()).to.deep.include({ ready: true, wanted: 1, loaded: 1 })
    expect(reported.get('demo/varmor-demo-a')).to.deep.include({ state: 'loaded', uid: 'u-varmor-demo-a' })
    const object = armorProfile('varmor-demo-a', { generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' })
    node.handler.handle({ type: 'updated', key: 'demo/varmor-demo-a', object, old: object })
    await simulation.settle()
    expect(reported.get('demo/varmor-demo-a')).to.deep.include({ state: 'unloaded', generation: 2 })
    node.handler.handle({ type: 'deleted', key: 'demo/varmor-demo-a', object, missed: false })
    await simulation.settle()
    expect([reported.size, seccomp.texts.size]).to.deep.equal([0, 0])
  })

  it('are in the log: once when one is loaded, when somebody has touched it, and when it goes', async () => {
    const object = armorProfile('varmor-demo-a')
    add(object)
    await node.listed()
    await simulation.runFor(300_000)
    const about = '{"profile":"demo/varmor-demo-a","generation":1,"enforcers":["Seccomp"]}'
    expect(said).to.deep.equal([`a profile is loaded ${about}`])
    seccomp.texts.set('varmor-demo-a', '{"defaultAction":"SCMP_ACT_ALLOW"}')
    await simulation.runFor(100_000)
    expect(said.slice(1)).to.deep.equal([
      'somebody has changed or removed a profile; it is put back {"profile":"demo/varmor-demo-a"}',
      `a profile is loaded ${about}`,
    ])
  })

  it('that nobody wants go, once all ArmorProfiles and all containers are known', async () => {
    seccomp.texts.set('varmor-demo-old', '{}').set('varmor-demo-a', '{}')
    await simulation.runFor(300_000)
    expect(seccomp.texts.size).to.equal(2)
    add(armorProfile('varmor-demo-a'))
    await node.listed()
    await simulation.runFor(100_000)
    expect(seccomp.texts.size).to.equal(2)
    inUse = new Set(['varmor-demo-old'])
    await simulation.runFor(100_000)
    expect(seccomp.texts.size).to.equal(2)
    inUse = new Set()
    await simulation.runFor(100_000)
    expect([...seccomp.texts.keys()]).to.deep.equal(['varmor-demo-a'])
  })

  it('that come to be wanted while they are removed stay', async () => {
    seccomp.texts.set('varmor-demo-a', '{}')
    inUse = new Set()
    const { unload } = seccomp
    seccomp.unload = async (name) => {
      add(armorProfile('varmor-demo-a'))
      await new Promise<void>((done) => void simulation.clock.after(10, done))
      return unload.call(seccomp, name)
    }
    const listed = node.listed()
    await simulation.runFor(1_000)
    await listed
    await simulation.settle()
    expect([...seccomp.texts.keys()]).to.deep.equal(['varmor-demo-a'])
  })

  it('that are lost come back, at the latest with the next look, though one look fails', async () => {
    add(armorProfile('varmor-demo-a'))
    await node.listed()
    await simulation.settle()
    seccomp.listFaults = [new EnforcerError('IO', 'list')]
    seccomp.texts.clear()
    await simulation.runFor(160_000)
    expect(seccomp.texts.size).to.equal(1)
    expect(warnings).to.have.length(2)
    expect(warnings[0]).to.include({ enforcer: 'Seccomp', code: 'IO' })
    expect(warnings[1]).to.deep.equal({ profile: 'demo/varmor-demo-a' })
    seccomp.texts.clear()
    expect(await node.check()).to.deep.equal(['demo/varmor-demo-a'])
    await simulation.settle()
    expect(seccomp.texts.size).to.equal(1)
  })

  const owner = (kind: string) => ({ apiVersion: 'v', kind, name: 'web', uid: 'u', controller: true })
  for (const [kind, namespace] of [
    ['VarmorPolicy', 'demo'],
    ['VarmorClusterPolicy', ''],
  ])
    it(`belong to the ${kind} that owns the ArmorProfile, whatever their name says`, () => {
      const object = armorProfile('varmor-x', {
        ownerReferences: [owner('Other'), owner(kind!)].map((one, i) => ({ ...one, controller: i === 1 })),
      })
      expect(policyOf(object)).to.deep.equal({ profileName: 'varmor-x', kind, name: 'web', namespace })
      expect(policyOf(armorProfile('varmor-x'))).to.equal(undefined)
    })
})
