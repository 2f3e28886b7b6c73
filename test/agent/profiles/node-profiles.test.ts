import { expect } from 'chai'
import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import { Simulation } from '../../../actors/runtime/index.ts'
import { NodeProfiles } from '../../../src/agent/profiles/node-profiles.ts'
import { policyOf } from '../../../src/agent/profiles/wanted-profiles.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { oldestAppArmor, type SeccompReports } from '../../../src/profile/context.ts'
import { compileHere, type NodeFacts } from '../../../src/profile/profile-source.ts'
import { allowed, FakeProfileLoader } from '../../fakes/profile-loader.ts'

const apiVersion = 'crd.varmor.org/v1beta1'
const armorProfile = (name: string, metadata: object = {}): ArmorProfile =>
  ({
    apiVersion,
    kind: 'ArmorProfile',
    metadata: {
      ...{ namespace: 'demo', name, uid: `u-${name}`, generation: 1 },
      labels: { 'varmor.org/made-by': 'varmor-manager' },
      ownerReferences: [
        { apiVersion, kind: 'VarmorPolicy', name: name.slice('varmor-demo-'.length), uid: 'p', controller: true },
      ],
      ...metadata,
    },
    spec: { profile: { name, enforcer: 'Seccomp', mode: 'enforce', seccomp: '{}' } },
  }) as unknown as ArmorProfile

describe('the profiles of a node', () => {
  let simulation: Simulation
  let seccomp: FakeProfileLoader
  let appArmor: FakeProfileLoader
  let bpf: FakeProfileLoader
  let node: NodeProfiles
  let inUse: Set<string> | undefined
  let compile = compileHere()
  let disks: string | Error = ''
  const reported = new Map<string, ProfileStatus>()
  const warnings: object[] = []
  const said: string[] = []
  const refused: string[] = []
  /** For each call to the reporter: whether a report could be complete. */
  const wholes: boolean[] = []
  let confining: () => Promise<Set<string>>
  const add = (object: ArmorProfile) =>
    node.handler.handle({ type: 'added', key: `demo/${object.metadata.name}`, object })

  beforeEach(() => {
    simulation = new Simulation()
    seccomp = new FakeProfileLoader('Seccomp')
    appArmor = new FakeProfileLoader('AppArmor')
    bpf = new FakeProfileLoader('BPF')
    disks = ''
    inUse = undefined
    confining = async () => new Set()
    reported.clear()
    warnings.length = 0
    said.length = 0
    refused.length = 0
    wholes.length = 0
    compile = compileHere()
    const { system, clock, random } = simulation
    node = new NodeProfiles({
      system,
      loaders: { AppArmor: appArmor, BPF: bpf, Seccomp: seccomp },
      compile: (carried, namespace) => compile(carried, namespace),
      basis: () => {
        if (disks instanceof Error) throw disks
        return disks
      },
      reporter: {
        set: (standing) => reported.set(standing.key, standing),
        forget: (key) => reported.delete(key),
        becameWhole: () => void wholes.push(node.readiness.whole),
      },
      onRefused: (profile) => refused.push(profile),
      confining: () => confining(),
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
    inUse = new Set()
    void add(armorProfile('varmor-demo-a'))
    await simulation.settle()
    expect(node.readiness.report().ready).to.equal(false)
    expect(wholes).to.deep.equal([])
    await node.listed()
    expect(wholes).to.deep.equal([true])
    expect(node.readiness.report()).to.deep.include({ ready: true, wanted: 1, loaded: 1 })
    expect(reported.get('demo/varmor-demo-a')).to.deep.include({ state: 'loaded', uid: 'u-varmor-demo-a' })
    const object = armorProfile('varmor-demo-a', { generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' })
    void node.handler.handle({ type: 'updated', key: 'demo/varmor-demo-a', object, old: object })
    await simulation.settle()
    expect(reported.get('demo/varmor-demo-a')).to.deep.include({ state: 'unloaded', generation: 2 })
    void node.handler.handle({ type: 'deleted', key: 'demo/varmor-demo-a', object, missed: false })
    await simulation.settle()
    expect([reported.size, seccomp.texts.size]).to.deep.equal([0, 0])
  })

  it('say whose the profiles of BPF are that are wanted, and who was there first', () => {
    const at = (second: number): object => ({ creationTimestamp: `2026-01-01T00:00:0${second}Z` })
    const ofBpf = (enforcer: string, metadata: object): ArmorProfile => {
      const name = String((metadata as { name?: string }).name ?? 'varmor-demo-a')
      const object = armorProfile(name, metadata)
      object.spec.profile = { ...object.spec.profile, enforcer }
      return object
    }
    const owner = { apiVersion, kind: 'VarmorClusterPolicy', name: 'all', uid: 'c', controller: true }
    const cluster = { ...at(3), name: 'varmor-cluster-varmor-all', namespace: 'varmor', ownerReferences: [owner] }
    const strange = { ...at(4), name: 'varmor-demo-strange', labels: {} }
    const objects = [
      ofBpf('AppArmorBPF', at(2)),
      ofBpf('BPF', { ...at(1), name: 'varmor-demo-b' }),
      ofBpf('Seccomp', { ...at(1), name: 'varmor-demo-c' }),
      ofBpf('BPF', cluster),
      ofBpf('BPF', strange),
    ]
    for (const object of objects) {
      const key = `${object.metadata.namespace}/${object.metadata.name}`
      void node.handler.handle({ type: 'added', key, object })
    }
    const claims = [...node.wanted.bpfClaims].sort(([, a], [, b]) => (a.since < b.since ? -1 : 1))
    expect(claims.map(([name, { namespace }]) => [name, namespace])).to.deep.equal([
      ['varmor-demo-b', 'demo'],
      ['varmor-demo-a', 'demo'],
      ['varmor-cluster-varmor-all', ''],
    ])
    void node.handler.handle({ type: 'deleted', key: 'demo/varmor-demo-a', object: objects[0]!, missed: false })
    expect([...node.wanted.bpfClaims.keys()]).not.to.include('varmor-demo-a')
  })

  it('are in the log: once when one is loaded, when somebody has touched it, and when it goes', async () => {
    const object = armorProfile('varmor-demo-a')
    void add(object)
    await node.listed()
    await simulation.runFor(300_000)
    const about = '{"profile":"demo/varmor-demo-a","generation":1,"enforcers":["Seccomp"]}'
    expect(said).to.deep.equal([`a profile is loaded ${about}`])
    seccomp.texts.set('varmor-demo-a', '{"defaultAction":"SCMP_ACT_ALLOW"}')
    await simulation.runFor(100_000)
    expect(said.slice(1)).to.deep.equal([
      'another program changed or removed a profile; restoring it {"profile":"demo/varmor-demo-a"}',
      `a profile is loaded ${about}`,
    ])
  })

  /** Adds an ArmorProfile that carries its policy, which agents compile for their node. */
  function addWithSource(policy: { enforcer: string }): void {
    const object = armorProfile('varmor-demo-a')
    object.spec.profile = { name: 'varmor-demo-a', enforcer: policy.enforcer, mode: 'enforce', appArmor: 'for reading' }
    const behaviorModeling = { enable: false, duration: 0 }
    void add({ ...object, spec: { ...object.spec, behaviorModeling, source: { policy: JSON.stringify(policy) } } })
  }

  it('are compiled for this node from what the ArmorProfile carries, and again when its disks are others', async () => {
    const policy = {
      enforcer: 'AppArmor',
      mode: 'EnhanceProtect',
      enhanceProtect: { hardeningRules: ['disallow-create-user-ns', 'disallow-debug-disk-device'] },
    }
    const facts: NodeFacts = { appArmor: oldestAppArmor, blockDevices: [] }
    compile = (carried, namespace) =>
      compileHere({ ...facts, blockDevices: disks === '' ? [] : [String(disks)] })(carried, namespace)
    addWithSource(policy)
    await node.listed()
    await simulation.settle()
    expect(appArmor.texts.get('varmor-demo-a')).to.contain('profile varmor-demo-a').and.not.contain('odd0')
    const { state, leftOut } = reported.get('demo/varmor-demo-a')!
    expect([state, leftOut?.map(({ enforcer, rule }) => `${enforcer}: ${rule}`)]).to.deep.equal([
      'loaded',
      ['AppArmor: disallow-create-user-ns'],
    ])
    await simulation.runFor(100_000)
    expect(appArmor.count('load')).to.equal(1)
    disks = '/dev/odd0'
    await simulation.runFor(100_000)
    expect(appArmor.texts.get('varmor-demo-a')).to.contain('odd0')
    expect([appArmor.count('load'), warnings]).to.deep.equal([2, []])
  })

  const audited = {
    enforcer: 'Seccomp',
    mode: 'EnhanceProtect',
    enhanceProtect: { hardeningRules: ['disallow-create-user-ns'], auditViolations: true },
  }
  const takes: SeccompReports = { flags: ['SECCOMP_FILTER_FLAG_LOG'] }
  const old: SeccompReports = { by: 'runc 1.1.5', why: 'runc 1.1.5 does not take the flag' }
  const flagsOf = (): unknown => JSON.parse(seccomp.texts.get('varmor-demo-a')!).flags
  const leftOutOf = () => reported.get('demo/varmor-demo-a')?.leftOut?.map(({ rule }) => rule)
  const factsWith = (seccompReports: SeccompReports): NodeFacts => ({
    ...{ appArmor: oldestAppArmor, blockDevices: [], seccompReports },
  })

  it('of Seccomp have refusals reported while the runtimes take the flag for it, and say so where they do not', async () => {
    let reports: SeccompReports = takes
    compile = (carried, namespace) => compileHere(factsWith(reports))(carried, namespace)
    addWithSource(audited)
    await node.listed()
    await simulation.settle()
    expect([flagsOf(), leftOutOf()]).to.deep.equal([['SECCOMP_FILTER_FLAG_LOG'], []])
    reports = old
    node.recompile('Seccomp')
    await simulation.settle()
    expect([flagsOf(), leftOutOf()]).to.deep.equal([undefined, ['reports of refusals (runc 1.1.5)']])
    reports = takes
    node.recompile('AppArmor')
    await simulation.settle()
    expect(flagsOf()).to.equal(undefined)
    node.recompile('Seccomp')
    await simulation.settle()
    expect([flagsOf(), leftOutOf()]).to.deep.equal([['SECCOMP_FILTER_FLAG_LOG'], []])
    await simulation.runFor(300_000)
    expect([seccomp.count('load'), warnings]).to.deep.equal([3, []])
  })

  it('are not kept as they were compiled for the node of before, when it becomes another one meanwhile', async () => {
    let reports: SeccompReports = takes
    let first = true
    compile = async (carried, namespace) => {
      const result = await compileHere(factsWith(reports))(carried, namespace)
      if (first) {
        first = false
        reports = old
        node.recompile('Seccomp')
      }
      return result
    }
    addWithSource(audited)
    await node.listed()
    await simulation.settle()
    expect([flagsOf(), leftOutOf()]).to.deep.equal([undefined, ['reports of refusals (runc 1.1.5)']])
    expect(seccomp.count('load')).to.equal(1)
  })

  const noFiles = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  it('are looked at further where the disks cannot be looked at for a while, and compiled again when these are others then', async () => {
    const compiled: string[] = []
    compile = (carried, namespace) => {
      compiled.push(String(disks))
      return compileHere()(carried, namespace)
    }
    const policy = {
      enforcer: 'AppArmor',
      mode: 'EnhanceProtect',
      enhanceProtect: { hardeningRules: ['disallow-mount'] },
    }
    addWithSource(policy)
    await node.listed()
    await simulation.settle()
    disks = noFiles
    appArmor.texts.clear()
    await simulation.runFor(200_000)
    expect(appArmor.texts.size).to.equal(1)
    expect(said.join('\n')).to.contain('cannot read the block devices of the node; retrying')
    disks = '/dev/odd0'
    await simulation.runFor(100_000)
    expect(compiled.filter((one) => one === '/dev/odd0')).to.have.length(1)
  })

  it('are looked at though the disks could not be looked at when all ArmorProfiles were known', async () => {
    disks = noFiles
    await node.listed()
    expect(node.readiness.report().ready).to.equal(true)
    void add(armorProfile('varmor-demo-a'))
    await simulation.settle()
    seccomp.texts.clear()
    await simulation.runFor(100_000)
    expect([...seccomp.texts.keys()]).to.deep.equal(['varmor-demo-a'])
  })

  const policyB = { apiVersion, kind: 'VarmorPolicy', name: 'b', uid: 'p', controller: true }
  const ofOther = armorProfile('varmor-demo-a-b', { namespace: 'demo-a', ownerReferences: [policyB] })
  const cases: [what: string, spec: object, others: ArmorProfile[], refused: string[]][] = [
    ['is loaded', {}, [], []],
    ['does not compile', { source: { policy: '{}' } }, [], ['varmor-demo-a-b']],
    ['says what is not known here', { more: 1 }, [], ['varmor-demo-a-b']],
    ['is loaded for another', { more: 1 }, [ofOther], []],
  ]
  for (const [what, spec, others, expected] of cases)
    it(`are refused, where BPF does not come to be asked: one that ${what}`, async () => {
      const behaviorModeling = { enable: false, duration: 0 }
      const bpfOnly = { name: 'varmor-demo-a-b', enforcer: 'BPF', mode: 'enforce', bpf: {} }
      for (const object of [armorProfile('varmor-demo-a-b'), ...others]) {
        const isFirst = object.metadata.namespace === 'demo'
        const whole = { ...object.spec, profile: bpfOnly, behaviorModeling, ...(isFirst && spec) }
        const key = `${object.metadata.namespace}/${object.metadata.name}`
        void node.handler.handle({ type: 'added', key, object: { ...object, spec: whole } as unknown as ArmorProfile })
      }
      await simulation.settle()
      expect([...new Set(refused)]).to.deep.equal(expected)
      expect(reported.get('demo/varmor-demo-a-b')?.state).to.equal(what === 'is loaded' ? 'loaded' : 'failed')
    })

  it('have the addresses that the ArmorProfile says, and others when it says others, without another generation', async () => {
    const toPods = [{ qualifiers: ['deny'], podSelector: { matchLabels: { app: 'db' } } }]
    const enhanceProtect = { hardeningRules: ['disallow-mount'], bpfRawRules: { network: { egress: { toPods } } } }
    const policy = JSON.stringify({ enforcer: 'AppArmorBPF', mode: 'EnhanceProtect', enhanceProtect })
    const withEgress = (status: object): ArmorProfile => {
      const object = armorProfile('varmor-demo-a')
      object.spec.profile.enforcer = 'AppArmorBPF'
      const behaviorModeling = { enable: false, duration: 0 }
      return { ...object, spec: { ...object.spec, behaviorModeling, source: { policy } }, status } as ArmorProfile
    }
    const update = async (status: object): Promise<void> => {
      const object = withEgress({ desiredNumberLoaded: 1, currentNumberLoaded: 1, ...status })
      void node.handler.handle({ type: 'updated', key: 'demo/varmor-demo-a', object, old: object })
      await simulation.settle()
    }
    const table = () => JSON.parse(bpf.texts.get('varmor-demo-a')!).egress.table.v4.map(([block]: [string]) => block)
    void add(withEgress({}))
    await simulation.settle()
    await node.listed()
    expect(table()).to.deep.equal([])
    const rule = 'bpfRawRules.network.egress.toPods[0]'
    const reason = 'the manager has not sent its addresses'
    expect(reported.get('demo/varmor-demo-a')).to.deep.include({ leftOut: [{ enforcer: 'BPF', rule, reason }] })
    const egress = (...addresses: string[]) => [{ target: 'pods of all namespaces: app=db', groups: [{ addresses }] }]
    await update({ egress: egress('10.0.0.1') })
    expect(table()).to.deep.equal(['10.0.0.1/32'])
    expect(reported.get('demo/varmor-demo-a')).to.deep.include({ state: 'loaded', generation: 1, leftOut: [] })
    await update({ egress: egress('10.0.0.1', '10.0.0.2') })
    expect(table()).to.deep.equal(['10.0.0.1/32', '10.0.0.2/32'])
    const loadsOf = ({ calls }: FakeProfileLoader) => calls.filter((call) => call.startsWith('load'))
    expect([loadsOf(bpf).length, loadsOf(appArmor).length]).to.deep.equal([3, 1])
    await update({ egress: egress('10.0.0.1', '10.0.0.2'), currentNumberLoaded: 0 })
    expect([loadsOf(bpf).length, loadsOf(appArmor).length]).to.deep.equal([3, 1])
  })

  it('that no policy and no container uses are removed once all ArmorProfiles and containers are known', async () => {
    seccomp.texts.set('varmor-demo-old', '{}').set('varmor-demo-a', '{}')
    await simulation.runFor(300_000)
    expect(seccomp.texts.size).to.equal(2)
    void add(armorProfile('varmor-demo-a'))
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

  it('whose policy is deleted during a check of processes are checked again for newer processes', async () => {
    const names = ['varmor-demo-a', 'varmor-demo-b']
    for (const name of names) void add(armorProfile(name))
    inUse = new Set()
    await node.listed()
    const leave = async (name: string): Promise<void> => {
      const object = armorProfile(name, { generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' })
      void node.handler.handle({ type: 'updated', key: `demo/${name}`, object, old: object })
      await simulation.settle()
    }
    let end = (): void => undefined
    confining = () =>
      new Promise((resolve) => {
        end = () => resolve(new Set())
      })
    await leave('varmor-demo-a')
    confining = async () => new Set(['varmor-demo-b'])
    await leave('varmor-demo-b')
    end()
    await simulation.settle()
    expect([...seccomp.texts]).to.deep.equal([['varmor-demo-b', allowed]])
  })

  it('that pods name when their policy goes allow all, until no pod names them', async () => {
    const key = 'demo/varmor-demo-a'
    const object = armorProfile('varmor-demo-a')
    void add(object)
    inUse = new Set(['varmor-demo-a'])
    await node.listed()
    const leaving = armorProfile('varmor-demo-a', { generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' })
    void node.handler.handle({ type: 'updated', key, object: leaving, old: object })
    await simulation.settle()
    expect(reported.get(key)).to.deep.include({ state: 'unloaded', generation: 2 })
    void node.handler.handle({ type: 'deleted', key, object: leaving, missed: false })
    await simulation.runFor(300_000)
    expect([...seccomp.texts]).to.deep.equal([['varmor-demo-a', allowed]])
    expect(said.filter((line) => /drift|somebody/.test(line))).to.deep.equal([])
    inUse = new Set()
    await node.check()
    expect(seccomp.texts.size).to.equal(0)
  })

  it('that come to be wanted while they are removed stay', async () => {
    seccomp.texts.set('varmor-demo-a', '{}')
    inUse = new Set()
    const { unload } = seccomp
    seccomp.unload = async (name) => {
      void add(armorProfile('varmor-demo-a'))
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
    void add(armorProfile('varmor-demo-a'))
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

  const forged: [string, (one: ArmorProfile) => void, RegExp][] = [
    ['has no label', ({ metadata }) => delete metadata.labels, /no label varmor.org\/made-by/],
    ['is no policy’s', ({ metadata }) => delete metadata.ownerReferences, /no policy is its controller/],
    [
      'is that of another kind of object',
      ({ metadata }) => Object.assign((metadata.ownerReferences as object[])[0]!, { apiVersion: 'v1', kind: 'Pod' }),
      /no policy is its controller/,
    ],
    [
      'brings a profile of another name',
      ({ spec }) => Object.assign(spec.profile, { name: 'docker-default' }),
      /docker-default/,
    ],
    [
      'is called like the profile of another policy',
      ({ metadata, spec }) => {
        metadata.namespace = 'evil'
        metadata.name = 'varmor-demo-a'
        spec.profile.name = 'varmor-demo-a'
      },
      /varmor-demo-a is not a valid profile name for VarmorPolicy/,
    ],
    [
      'is of a cluster policy, and in a namespace of a tenant',
      ({ metadata, spec }) => {
        Object.assign((metadata.ownerReferences as object[])[0]!, { kind: 'VarmorClusterPolicy', name: 'web' })
        metadata.name = 'varmor-cluster-varmor-web'
        spec.profile.name = metadata.name
      },
      /belongs in the namespace varmor/,
    ],
  ]
  for (const [what, forge, why] of forged)
    it(`are not loaded from an ArmorProfile that ${what}, nor does it take the place of another one`, async () => {
      const object = armorProfile('varmor-demo-f', { creationTimestamp: '2020-01-01T00:00:00Z' })
      forge(object)
      const key = `${object.metadata.namespace}/${object.metadata.name}`
      void node.handler.handle({ type: 'added', key, object })
      await node.listed()
      await simulation.settle()
      expect([...seccomp.texts.keys()]).to.deep.equal([])
      expect(reported.get(key)).to.deep.include({ state: 'failed', enforcers: [] })
      expect(reported.get(key)?.message).to.match(why)
      expect(node.readiness.report()).to.deep.include({ ready: true, wanted: 1, loaded: 0 })
      // A real ArmorProfile is loaded, and stays loaded after the forged one is removed.
      seccomp.texts.set('docker-default', '{}')
      const real = armorProfile('varmor-demo-a', { creationTimestamp: '2026-01-01T00:00:00Z' })
      void add(real)
      await simulation.settle()
      expect(reported.get('demo/varmor-demo-a')).to.include({ state: 'loaded' })
      const leaving = { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-02T00:00:00Z' } }
      void node.handler.handle({ type: 'updated', key, object: leaving, old: object })
      await simulation.settle()
      expect(reported.get(key)).to.include({ state: 'unloaded' })
      void node.handler.handle({ type: 'deleted', key, object: leaving, missed: false })
      await simulation.settle()
      expect([...seccomp.texts.keys()].sort()).to.deep.equal(['docker-default', 'varmor-demo-a'])
    })

  it('that are loaded stay as they are when somebody makes their ArmorProfile a strange one', async () => {
    inUse = new Set()
    const object = armorProfile('varmor-demo-a')
    void add(object)
    await node.listed()
    await simulation.settle()
    const { labels: _, ...metadata } = object.metadata
    const tampered = {
      ...object,
      metadata: { ...metadata, generation: 2 },
      spec: { ...object.spec, profile: { ...object.spec.profile, seccomp: '{"defaultAction":"SCMP_ACT_ALLOW"}' } },
    } as ArmorProfile
    void node.handler.handle({ type: 'updated', key: 'demo/varmor-demo-a', object: tampered, old: object })
    await simulation.runFor(300_000)
    expect([...seccomp.texts]).to.deep.equal([['varmor-demo-a', '{}']])
    expect(reported.get('demo/varmor-demo-a')).to.deep.include({ state: 'failed', generation: 2 })
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
      expect(policyOf(armorProfile('varmor-x', { ownerReferences: [] }))).to.equal(undefined)
    })
})
