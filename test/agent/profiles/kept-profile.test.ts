import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { ClusterSource } from '../../../src/agent/cluster/cluster-source.ts'
import { profileSlimmer, reporting, roomForProfiles } from '../../../src/agent/profiles/kept-profile.ts'
import { WantedProfiles } from '../../../src/agent/profiles/wanted-profiles.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { mebibyte } from '../../../src/base/bytes.ts'
import { heapBytes } from '../../../src/base/heap-bytes.ts'
import { outlined } from '../../../src/base/left-out.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { KubeConnection } from '../../../src/kube/connection.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { Quota } from '../../../src/kube/room.ts'
import { configFor } from '../../kube/harness.ts'
import { json, ScriptedServer, stream } from '../../kube/scripted-server.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

type Stored = ArmorProfile & KubeObject

const addresses = Array.from({ length: 4_096 }, (_, i) => `10.1.${i >> 8}.${i & 255}`)

/** An ArmorProfile with texts of the maximum size, as a manager creates it. */
const made = (name: string, namespace = 'demo', policy = '{"enforcer":"AppArmor","mode":"AlwaysAllow"}'): Stored =>
  ({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfile',
    metadata: { name, namespace, uid: name, resourceVersion: '1', generation: 1, managedFields: [{}] },
    spec: {
      profile: {
        ...{ name: `varmor-${namespace}-${name}`, enforcer: 'AppArmorSeccomp', mode: 'enforce' },
        appArmor: 'x'.repeat(600_000),
        seccomp: 'y'.repeat(600_000),
        bpf: { files: [] },
      },
      source: { policy },
      behaviorModeling: { enable: false, duration: 0 },
    },
    status: {
      desiredNumberLoaded: 1,
      currentNumberLoaded: 1,
      conditions: Array.from({ length: 50 }, () => ({ message: 'z'.repeat(1_024) })),
      egress: [{ target: 'pods', groups: [{ addresses }] }],
    },
  }) as unknown as Stored

describe('what an agent keeps of an ArmorProfile', () => {
  it('is what it compiles, and no text of the profiles for readers', () => {
    const { spec, status } = profileSlimmer()(made('web'))
    expect(spec.source).to.deep.equal(made('web').spec.source)
    expect(spec.profile).to.deep.equal({ name: 'varmor-demo-web', enforcer: 'AppArmorSeccomp', mode: 'enforce' })
    expect(status).to.deep.equal({ egress: made('web').status?.egress })
  })

  it('is all of one that an older manager made, whose profiles it loads', () => {
    const old = made('web')
    delete old.spec.source
    expect(profileSlimmer()(structuredClone(old)).spec).to.deep.equal(old.spec)
  })

  it('says whether the profiles report what they let pass', () => {
    const given = made('web')
    given.spec.profile.appArmor = `profile x flags=(complain) {\n${'x'.repeat(100)}}`
    given.spec.profile.seccomp = '{"defaultAction":"SCMP_ACT_LOG"}'
    expect(profileSlimmer()(given).spec.profile).to.deep.include(reporting)
  })

  it('is wanted as the whole one is', () => {
    const [whole, kept] = [new WantedProfiles(), new WantedProfiles()]
    whole.set('demo/web', made('web'))
    kept.set('demo/web', profileSlimmer()(made('web')))
    expect(kept.get('demo/web')).to.deep.equal(whole.get('demo/web'))
  })

  it('has one text of an address for all ArmorProfiles', () => {
    gc()
    const before = process.memoryUsage().heapUsed
    const slim = profileSlimmer()
    const all = Array.from({ length: 300 }, (_, i) => slim(JSON.parse(JSON.stringify(made(`p${i}`))) as Stored))
    gc()
    expect((process.memoryUsage().heapUsed - before) / all.length).to.be.below(60_000)
    expect(all[299]?.status).to.deep.equal({ egress: made('web').status?.egress })
  })
})

describe('what an agent keeps of a namespace', () => {
  it('is bounded, and leaves room for others and for cluster policies', () => {
    const room = new Quota(roomForProfiles('varmor'))
    const slim = profileSlimmer()
    const text = 'p'.repeat(1_300_000)
    const kept = Array.from({ length: 100 }, (_, i) => room.fit(slim(made(`p${i}`, 'hostile', text)))!)
    const whole = kept.filter(({ spec }) => spec.source !== undefined)
    expect(whole.length).to.be.within(4, 8)
    expect(room.bytes).to.be.below(9 * mebibyte)
    expect(room.fit(slim(made('web', 'quiet', text)))!.spec.source).not.to.equal(undefined)
    expect(room.fit(slim(made('base', 'varmor', text)))!.spec.source).not.to.equal(undefined)
    for (const outline of kept.slice(10)) expect(heapBytes(outline)).to.be.below(3_000)
  })

  it('has what is loaded stay of a profile that there is no room for, and says why', () => {
    const wanted = new WantedProfiles()
    const slim = profileSlimmer()
    wanted.set('demo/web', outlined(roomForProfiles().outline(slim(made('web'))), 'there is no room for it'))
    expect(wanted.get('demo/web')).to.deep.include({
      ...{ profile: 'varmor-demo-web', leaving: false, generation: 1 },
      conflict: 'there is no room for it',
    })
    wanted.set('demo/web', slim(made('web')))
    expect(wanted.get('demo/web')).to.deep.include({ contents: undefined }).and.not.to.have.property('conflict')
  })
})

describe('an agent in a cluster', () => {
  it('holds a bounded part of what a tenant has made, however large that is', async () => {
    const text = 'p'.repeat(500_000)
    const items = Array.from({ length: 20 }, (_, i) => made(`p${i}`, 'hostile', text))
    const page = (from: number, rest?: string) =>
      json({ metadata: { resourceVersion: '9', ...(rest && { continue: rest }) }, items: items.slice(from, from + 5) })
    const server = await ScriptedServer.start(page(0, 'a'), page(5, 'b'), page(10, 'c'), page(15))
    server.otherwise = stream([], 'hang')
    const connection = new KubeConnection(configFor(server.url))
    const send = async () => ({ kind: 'unreachable', message: '' }) as const
    const source = new ClusterSource(
      { connection, node: 'n', namespace: 'varmor', managers: ['https://m'], send, logger: noLogger },
      () => true,
    )
    const held: Stored[] = []
    source.subscribe({ name: 'test', handle: ({ object }) => void held.push(object) })
    source.start()
    expect(await source.listed()).to.equal(true)
    expect(held).to.have.length(items.length)
    expect(held.reduce((sum, one) => sum + heapBytes(one.spec), 0)).to.be.below(9 * mebibyte)
    await source.stop()
    await source.close()
    await connection.close()
    await server.stop()
  })
})
