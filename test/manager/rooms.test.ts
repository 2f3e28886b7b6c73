import { expect } from 'chai'
import type { AnyPolicy, Workload } from '../../actors/ports.ts'
import type { ArmorProfileModel } from '../../src/api/types.ts'
import { mebibyte } from '../../src/base/bytes.ts'
import { heapBytes } from '../../src/base/heap-bytes.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import type { ApiClient } from '../../src/kube/client.ts'
import type { KubeObject, ResourceRef } from '../../src/kube/objects.ts'
import { Quota } from '../../src/kube/room.ts'
import { ClusterView } from '../../src/manager/cluster-view.ts'
import { type IpOwner, Slimmer } from '../../src/manager/egress/ip-owner.ts'
import { foundModel } from '../../src/manager/models/found-model.ts'
import { roomsFor } from '../../src/manager/rooms.ts'
import { ManualClock } from '../kube/harness.ts'
import { policy } from './made-up.ts'

const wide = (length: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: length / 40 }, (_, i) => [`label-${i}`.padEnd(20, 'x'), 'y'.repeat(20)]))

/** A namespace's objects of the maximum size that the API server accepts. */
const huge = {
  policy: (name: string, namespace: string) => {
    const made = policy({
      name,
      namespace,
      spec: { enhanceProtect: { appArmorRawRules: [{ rules: 'x'.repeat(1_300_000) }] } },
    })
    return { ...made, metadata: { ...made.metadata, uid: name, resourceVersion: '1' } } as AnyPolicy & KubeObject
  },
  model: (name: string, namespace: string) =>
    ({
      apiVersion: 'crd.varmor.org/v1beta1',
      kind: 'ArmorProfileModel',
      metadata: { name, namespace, uid: name, resourceVersion: '1' },
      data: { profile: { name, enforcer: 'AppArmor', mode: 'enforce', appArmor: 'x'.repeat(1_300_000) } },
      status: { ready: true },
    }) as unknown as ArmorProfileModel & KubeObject,
  workload: (name: string, namespace: string) =>
    ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, uid: name, resourceVersion: '1', labels: wide(1_300_000) },
      spec: { template: { spec: { containers: [{ name: 'c' }] } } },
    }) as unknown as Workload & KubeObject,
}

async function viewOf(all: Record<string, KubeObject[]>): Promise<ClusterView> {
  const client = {
    caller: { clock: new ManualClock(), random: () => 0 },
    listFit: async ({ plural }: ResourceRef) => ({
      metadata: { resourceVersion: '1' },
      items: all[plural] ?? [],
      unfit: [],
    }),
    watch: (_: unknown, __: unknown, ___: unknown, signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  } as unknown as ApiClient
  const view = new ClusterView({ client, rooms: roomsFor(512 * mebibyte, 'varmor') })
  view.start()
  await view.synced()
  return view
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
const sizeOf = (values: Iterable<object>): number => [...values].reduce((sum, value) => sum + heapBytes(value), 0)

describe('what managers keep of tenants', () => {
  it('is bounded for one that makes the largest objects that there can be, and leaves room for others', async () => {
    const of = <T>(make: (name: string, namespace: string) => T) => [
      ...names('big', 60).map((name) => make(name, 'hostile')),
      make('web', 'quiet'),
    ]
    const view = await viewOf({
      varmorpolicies: of(huge.policy),
      armorprofilemodels: of(huge.model),
      deployments: of(huge.workload),
    })
    const kinds = [view.policies.store, view.models.store, view.workloadsOf.Deployment.store]
    for (const store of kinds) {
      expect(store.size).to.equal(61)
      expect(sizeOf(store.values())).to.be.below(13 * mebibyte)
      expect(whyOutlined(store.get('quiet/web')!)).to.equal(undefined)
    }
    const { varmorpolicies, armorprofilemodels, deployments, ...others } = view.outlines
    for (const left of [varmorpolicies, armorprofilemodels, deployments]) expect(left).to.be.within(50, 59)
    expect(others).to.deep.equal({ statefulsets: 0, daemonsets: 0 })
    await view.stop()
  })

  it('is bounded for many namespaces together', async () => {
    const all = names('n', 60).flatMap((namespace) => names('big', 2).map((name) => huge.policy(name, namespace)))
    const view = await viewOf({ varmorpolicies: all })
    expect(sizeOf(view.policies.store.values())).to.be.below(50 * mebibyte)
    await view.stop()
  })

  it('is bounded in number, too: what is kept beside a tiny object is many times as large', async () => {
    const tiny = (name: string, namespace: string) => {
      const made = policy({ name, namespace })
      return { ...made, metadata: { ...made.metadata, uid: name, resourceVersion: '1' } } as AnyPolicy & KubeObject
    }
    const objects = { policies: 12_000, models: 8_000, Deployment: 24_000, StatefulSet: 8_000, DaemonSet: 8_000 }
    const { policies: ofPolicies, models: ofModels, workloads } = roomsFor(512 * mebibyte, 'varmor')
    const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const
    const bounds = Object.fromEntries(kinds.map((kind) => [kind, workloads(kind).objects]))
    const all: Record<string, object | undefined> = {
      policies: ofPolicies.objects,
      models: ofModels.objects,
      ...bounds,
    }
    for (const [kind, max] of Object.entries(objects))
      expect(all[kind], kind).to.deep.equal({ all: max, ofNamespace: max / 4 })
    const hostile = names('p', 4_000).map((name) => tiny(name, 'hostile'))
    const view = await viewOf({ varmorpolicies: [...hostile, tiny('web', 'quiet')] })
    expect(view.policies.store.size).to.equal(3_000 + 1)
    expect(view.outlines.varmorpolicies).to.be.at.least(1_000)
    expect([view.lacksPolicies('hostile'), view.lacksPolicies('quiet')]).to.deep.equal([true, false])
    expect(['hostile', 'quiet'].map((namespace) => view.policies.takesMore(namespace))).to.deep.equal([false, true])
    await view.stop()
  })

  const extents = [
    ['Pods', 'pods', 10 * 1_024],
    ['Services', 'services', 1_000_000],
    ['EndpointSlices', 'slices', 1_000_000],
  ] as const
  for (const [what, kind, length] of extents)
    it(`is bounded for ${what} with labels of ${length} bytes, whose addresses count as left out`, () => {
      const { [kind]: options } = roomsFor(512 * mebibyte, 'varmor').addressed
      const room = new Quota(options)
      const slim = new Slimmer()
      const make = { pods: slim.pod, services: slim.service, slices: slim.slice }[kind]
      const made = (name: string, namespace: string, labels: Record<string, string>) =>
        make({
          metadata: { name, namespace, uid: name, resourceVersion: '1', labels },
          status: { podIPs: [{ ip: '10.0.0.1' }] },
          spec: { clusterIPs: ['10.0.0.1'] },
          endpoints: [{ addresses: ['10.0.0.1'] }],
        } as unknown as IpOwner)
      const count = Math.round((3 * options.ofNamespace) / length)
      const mark = { 'kubernetes.io/service-name': 'web' }
      const labels = { ...wide(length), ...mark }
      const kept = names('o', count).flatMap((name) => room.fit(made(name, 'hostile', labels)) ?? [])
      const quiet = room.fit(made('web', 'quiet', { app: 'web' }))!
      expect(quiet.groups.flatMap(({ addresses }) => addresses)).to.deep.equal(['10.0.0.1'])
      const outlines = kept.filter((one) => whyOutlined(one) !== undefined)
      expect(outlines.length).to.be.within(count / 3, count - 1)
      for (const one of outlines) {
        expect([one.groups, one.beyond, one.metadata?.labels]).to.deep.equal([[], 1, mark])
        expect(heapBytes(one)).to.be.below(1_200)
      }
      expect(room.bytes).to.be.at.most(options.ofNamespace)
    }).timeout(60_000)

  it('grows with the memory limit of the manager, and has a default without a limit', () => {
    const all = (memory: number) => roomsFor(memory).policies.all
    expect(all(1024 * mebibyte)).to.equal(2 * all(512 * mebibyte))
    expect(all(64 * mebibyte)).to.equal(all(512 * mebibyte))
    for (const none of [0, 2 ** 63]) expect(all(none)).to.equal(2 * all(512 * mebibyte))
  })

  const { policies, models, workloads } = roomsFor(0)
  const finalizers = [...names('example.org/f', 10_000), 'varmor.org/vp-protection']
  const outlines: { what: string; outline: () => object; least: object }[] = [
    {
      what: 'a policy',
      outline: () => {
        const whole = huge.policy('web', 'demo')
        whole.metadata.finalizers = finalizers
        whole.metadata.labels = wide(100_000)
        whole.spec.target = { kind: 'Deployment', selector: { matchLabels: wide(100_000) } }
        whole.spec.policy.enforcer = 'x'.repeat(100_000)
        return policies.outline(whole)
      },
      least: { kind: 'VarmorPolicy' },
    },
    { what: 'a model', outline: () => models.outline(huge.model('web', 'demo')), least: { data: {} } },
    {
      what: 'a workload',
      outline: () => workloads('Deployment').outline(huge.workload('web', 'demo')),
      least: { kind: 'Deployment' },
    },
  ]
  for (const { what, outline, least } of outlines)
    it(`is a few hundred bytes of ${what} for which there is no room`, () => {
      const kept = outline() as KubeObject
      expect(JSON.stringify(kept).length).to.be.below(1_000)
      expect(kept).to.deep.include(least)
      expect(kept.metadata).to.include({ name: 'web', namespace: 'demo', resourceVersion: '1', uid: 'web' })
    })

  it('says of a policy whom it means, so that new pods come into the profile that is in force', () => {
    const { spec, metadata } = policies.outline(huge.policy('web', 'demo'))
    expect(spec.target).to.deep.equal(policy().spec.target)
    expect(spec.policy).to.include({ enforcer: 'AppArmorBPFSeccomp', mode: 'AlwaysAllow' })
    expect(metadata.finalizers).to.deep.equal([])
  })

  it('does not call a model ready of which there is an outline', async () => {
    const view = await viewOf({ armorprofilemodels: names('big', 30).map((name) => huge.model(name, 'hostile')) })
    const found = [...view.models.store.values()].map(foundModel)
    expect(found.filter(({ ready }) => ready)).to.have.length.below(10)
    for (const { ready, outline } of found) expect(outline === undefined).to.equal(ready)
    await view.stop()
  })
})
