import { expect } from 'chai'
import fc from 'fast-check'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import { targetText } from '../../../src/api/egress-target.ts'
import type { EgressTarget, LabelSelector } from '../../../src/api/types.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { EgressDirectory } from '../../../src/manager/egress/egress-directory.ts'
import { MAX_EGRESS_ADDRESSES } from '../../../src/profile/bpf/limits.ts'
import { FakeSources, podOf, serviceObject, sliceOf } from './fake-sources.ts'

function worldOf() {
  const clock = new SimulatedClock(0)
  const cluster = new FakeSources()
  const said: string[] = []
  const directory = new EgressDirectory({ reflect: cluster.sources, clock, changed: (key) => void said.push(key) })
  /** Waits until the queues are empty and this many milliseconds have passed. */
  const run = async (milliseconds = 300): Promise<void> => {
    for (let turn = 0; turn < 4 || cluster.isBusy; turn++) await new Promise(setImmediate)
    const limit = clock.now() + milliseconds
    while (clock.step(limit)) await new Promise(setImmediate)
  }
  return { clock, cluster, directory, said, run }
}

const pods = (selector: LabelSelector, namespace = ''): EgressTarget => ({ kind: 'pods', namespace, selector })
const web = pods({ matchLabels: { app: 'web' } })
const service = (namespace: string, name: string): EgressTarget => ({ kind: 'service', namespace, name })

describe('the addresses of Pods', () => {
  it('are those of all that a rule selects, of both families, and follow them', async () => {
    const { cluster, directory, said, run } = worldOf()
    cluster.put('pods', podOf('a', 'one', { app: 'web' }, '10.0.0.2', 'fd00::2'))
    cluster.put('pods', podOf('b', 'two', { app: 'web' }, '10.0.0.1'))
    cluster.put('pods', podOf('a', 'none', { app: 'web' }))
    cluster.put('pods', podOf('a', 'other', { app: 'db' }, '10.0.0.9'))
    directory.want('demo/p', [web])
    expect(directory.addressesOf('demo/p')).to.equal(undefined)
    await run()
    const of = (...addresses: string[]) => [
      { target: targetText(web), groups: addresses.length > 0 ? [{ addresses }] : [] },
    ]
    expect(directory.addressesOf('demo/p')).to.deep.equal(of('10.0.0.1', '10.0.0.2', 'fd00::2'))
    said.length = 0
    cluster.put('pods', podOf('b', 'two', { app: 'db' }, '10.0.0.1'))
    cluster.put('pods', podOf('a', 'none', { app: 'web' }, '10.0.0.7'))
    cluster.delete('pods', 'a/one')
    await run()
    expect(said).to.deep.equal(['demo/p'])
    expect(directory.addressesOf('demo/p')).to.deep.equal(of('10.0.0.7'))
    said.length = 0
    cluster.put('pods', podOf('a', 'none', { app: 'web', more: 'yes' }, '10.0.0.7'))
    cluster.put('pods', podOf('a', 'other', { app: 'db' }, '10.0.0.10'))
    await run()
    expect(said, 'nothing that matters has changed').to.deep.equal([])
    await directory.stop()
  })

  it('have a new Pod when its address has come, and the Services in front of Pods never: until then, and through these, they are reached (limits)', async () => {
    const { cluster, directory, run } = worldOf()
    cluster.put('pods', podOf('a', 'new', { app: 'web' }))
    cluster.put(
      'services',
      serviceObject('a', 'front', {}, { selector: { app: 'web' }, clusterIPs: ['10.96.0.7'], ports: [{ port: 80 }] }),
    )
    directory.want('demo/p', [web])
    await run()
    expect(directory.addressesOf('demo/p')).to.deep.equal([{ target: targetText(web), groups: [] }])
    cluster.put('pods', podOf('a', 'new', { app: 'web' }, '10.0.0.7'))
    cluster.put('slices', sliceOf('a', 's', { service: 'front' }, ['10.0.0.7'], [8080]))
    await run()
    expect(directory.addressesOf('demo/p')).to.deep.equal([
      { target: targetText(web), groups: [{ addresses: ['10.0.0.7'] }] },
    ])
    await directory.stop()
  })

  it('are watched as long as an ArmorProfile asks for them, and nothing else is', async () => {
    const { cluster, directory, run, clock } = worldOf()
    await run()
    expect([...cluster.running.keys()]).to.deep.equal([])
    directory.want('demo/p', [web])
    directory.want('demo/q', [web, service('a', 's')])
    await run()
    expect([...cluster.running.keys()]).to.deep.equal(['pods', 'services', 'slices'])
    directory.want('demo/q')
    await run()
    expect([...cluster.running.keys()]).to.deep.equal(['pods'])
    directory.want('demo/p', [])
    await run()
    expect([...cluster.running.keys()]).to.deep.equal([])
    expect(directory.addressesOf('demo/p')).to.deep.equal([])
    await directory.stop()
    expect(clock.timers).to.equal(0)
  })

  it('beyond what an ArmorProfile has room for are counted, and come when there is room', async () => {
    const { cluster, directory, run } = worldOf()
    const more = 10
    const address = (i: number): string => `10.1.${i >> 8}.${i & 255}`
    for (let i = 0; i < MAX_EGRESS_ADDRESSES + more; i++)
      cluster.put('pods', podOf('a', `p${i}`, { app: 'web' }, address(i)))
    const db = pods({ matchLabels: { app: 'db' } })
    cluster.put('pods', podOf('a', 'db', { app: 'db' }, '10.2.0.1'))
    directory.want('demo/p', [web, db])
    await run()
    const [first, second] = directory.addressesOf('demo/p')!
    expect(first!.groups[0]!.addresses).to.have.length(MAX_EGRESS_ADDRESSES)
    expect([first!.omitted, second!.omitted, second!.groups]).to.deep.equal([more, 1, []])
    for (let i = 0; i < 2 * more; i++) cluster.delete('pods', `a/p${i}`)
    await run(31_000)
    const [then, after] = directory.addressesOf('demo/p')!
    expect(then!.groups[0]!.addresses).to.have.length(MAX_EGRESS_ADDRESSES - more)
    expect([then!.omitted, after!.omitted]).to.deep.equal([undefined, undefined])
    await directory.stop()
  })
})

describe('the addresses of a Service', () => {
  const target = service('a', 'db')
  const rows: { what: string; spec: object; status?: object; slices?: KubeObject[]; groups: object[] }[] = [
    {
      what: 'are its own for all ports, and those of its endpoints for theirs',
      spec: { clusterIPs: ['10.96.0.7', 'fd00::7'], ports: [{ port: 5432 }] },
      slices: [sliceOf('a', 's', { service: 'db' }, ['10.0.0.1', '10.0.0.2'], [6432, 6433])],
      groups: [{ addresses: ['10.96.0.7', 'fd00::7'] }, { addresses: ['10.0.0.1', '10.0.0.2'], ports: [6432, 6433] }],
    },
    {
      what: 'without an address of its own (headless) are those of its endpoints',
      spec: { clusterIPs: ['None'], ports: [{ port: 5432 }] },
      slices: [sliceOf('a', 's', { service: 'db' }, ['10.0.0.1'], [5432])],
      groups: [{ addresses: ['10.0.0.1'], ports: [5432] }],
    },
    {
      what: 'from outside count for the ports of the Service',
      spec: { clusterIPs: ['10.96.0.7'], externalIPs: ['192.0.2.1'], ports: [{ port: 80 }, { port: 443 }] },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.2' }, { hostname: 'lb.example' }] } },
      groups: [{ addresses: ['10.96.0.7'] }, { addresses: ['192.0.2.1', '192.0.2.2'], ports: [80, 443] }],
    },
    {
      what: 'do not have the ports of nodes that lead to it (NodePort)',
      spec: { type: 'NodePort', clusterIPs: ['10.96.0.7'], ports: [{ port: 80, nodePort: 30_080 }] },
      groups: [{ addresses: ['10.96.0.7'] }],
    },
    {
      what: 'that is a name elsewhere (ExternalName) are none',
      spec: { type: 'ExternalName', externalName: 'db.example' },
      slices: [sliceOf('a', 's', { service: 'db' }, ['db.example'], [5432])],
      groups: [],
    },
    {
      what: 'whose endpoints name no port are for all ports',
      spec: { clusterIPs: [] },
      slices: [
        sliceOf('a', 's', { service: 'db' }, ['10.0.0.1'], [null]),
        sliceOf('a', 'other', { service: 'web' }, ['10.0.0.3'], []),
        sliceOf('b', 'elsewhere', { service: 'db' }, ['10.0.0.4'], []),
      ],
      groups: [{ addresses: ['10.0.0.1'] }],
    },
  ]
  for (const { what, spec, status, slices = [], groups } of rows)
    it(what, async () => {
      const { cluster, directory, run } = worldOf()
      cluster.put('services', serviceObject('a', 'db', {}, spec, status))
      for (const slice of slices) cluster.put('slices', slice)
      directory.want('demo/p', [target])
      await run()
      expect(directory.addressesOf('demo/p')).to.deep.equal([{ target: 'service a/db', groups }])
      await directory.stop()
    })
})

describe('the addresses of Services by label', () => {
  const spec = { clusterIPs: ['10.96.0.7'], externalIPs: ['192.0.2.1'], ports: [{ port: 443 }] }
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.2' }] } }
  const own = { addresses: ['10.96.0.7'] }
  const rows: [where: string, namespace: string, groups: object[]][] = [
    [
      'in one namespace have those that they claim',
      'a',
      [own, { addresses: ['192.0.2.1', '192.0.2.2'], ports: [443] }],
    ],
    ['anywhere do not: anybody may claim any', '', [own, { addresses: ['192.0.2.2'], ports: [443] }]],
  ]
  for (const [where, namespace, groups] of rows)
    it(where, async () => {
      const { cluster, directory, run } = worldOf()
      cluster.put('services', serviceObject('a', 'db', { app: 'db' }, spec, status))
      const target = { kind: 'services' as const, namespace, selector: { matchLabels: { app: 'db' } } }
      directory.want('demo/p', [target])
      await run()
      expect(directory.addressesOf('demo/p')).to.deep.equal([{ target: targetText(target), groups }])
      await directory.stop()
    })
})

describe('the addresses of one namespace', () => {
  const app = { app: 'db' }
  const many = MAX_EGRESS_ADDRESSES + 10
  const address = (i: number): string => `10.1.${i >> 8}.${i & 255}`
  const everywhere = { kind: 'services', namespace: '', selector: { matchLabels: app } } as const
  const theirs = { addresses: ['10.2.0.1', '10.2.0.2'], ports: [5432] }
  const flat = (directory: EgressDirectory) =>
    directory.addressesOf('demo/p')!.map(({ groups }) => groups.flatMap(({ addresses }) => addresses))

  const floods: [what: string, flood: (cluster: FakeSources) => void, target: EgressTarget][] = [
    [
      'however many its Pods are',
      (cluster) => {
        for (let i = 0; i < many; i++) cluster.put('pods', podOf('a', `p${i}`, app, address(i)))
      },
      pods({ matchLabels: app }),
    ],
    [
      'however many endpoints its Services have, of whatever ports',
      (cluster) => {
        const all = Array.from({ length: many }, (_, i) => address(i))
        cluster.put('slices', sliceOf('a', 's', { service: 'flood', labels: app }, all, [1]))
      },
      everywhere,
    ],
    [
      'however many its Services are',
      (cluster) => {
        for (let i = 0; i < many; i++)
          cluster.put('services', serviceObject('a', `s${i}`, app, { clusterIPs: [address(i)] }))
      },
      everywhere,
    ],
  ]
  for (const [what, flood, target] of floods)
    for (const isFirst of [false, true])
      it(`push out none of another one that has less than an even share, ${what}${isFirst ? ', and were there before' : ''}`, async () => {
        const { cluster, directory, run } = worldOf()
        if (isFirst) flood(cluster)
        directory.want('demo/p', [target])
        await run()
        for (const ip of theirs.addresses) cluster.put('pods', podOf('b', ip, app, ip))
        cluster.put('slices', sliceOf('b', 's', { service: 'db', labels: app }, theirs.addresses, theirs.ports))
        if (!isFirst) flood(cluster)
        await run(31_000)
        const [found] = directory.addressesOf('demo/p')!
        const [all] = flat(directory)
        expect(all).to.include.members(theirs.addresses).and.have.length(MAX_EGRESS_ADDRESSES)
        expect(found!.omitted).to.equal(12)
        await directory.stop()
      })

  it('are counted once if several namespaces have them, such as addresses of nodes', async () => {
    const { cluster, directory, run } = worldOf()
    const of = (first: number, count: number) => Array.from({ length: count }, (_, i) => address(first + i))
    for (const namespace of ['a', 'b', 'c'])
      cluster.put('slices', sliceOf(namespace, 's', { service: 's', labels: app }, of(0, 2_400), [1]))
    const own = of(2_400, 1_960)
    cluster.put('slices', sliceOf('d', 's', { service: 's', labels: app }, own, [1]))
    directory.want('demo/p', [everywhere])
    await run()
    expect(flat(directory)[0]).to.include.members(own).and.have.length(MAX_EGRESS_ADDRESSES)
    expect(directory.addressesOf('demo/p')![0]!.omitted).to.equal(264)
    await directory.stop()
  })

  it('push out none of another target, but their own', async () => {
    const { cluster, directory, run } = worldOf()
    for (let i = 0; i < many; i++) cluster.put('pods', podOf('a', `p${i}`, app, address(i)))
    const web = { app: 'web' }
    cluster.put('pods', podOf('a', 'web', web, '10.3.0.1'))
    cluster.put('pods', podOf('b', 'web', web, '10.3.0.2'))
    directory.want('demo/p', [pods({ matchLabels: app }), pods({ matchLabels: web })])
    await run()
    const [first, second] = directory.addressesOf('demo/p')!
    expect(flat(directory)[0]).to.have.length(MAX_EGRESS_ADDRESSES - 1)
    expect(first!.omitted).to.equal(11)
    expect(second).to.deep.include({ groups: [{ addresses: ['10.3.0.2'] }], omitted: 1 })
    await directory.stop()
  })
})

// A simple model: it checks every object, and evaluates each requirement as the Kubernetes documentation describes it.

type Labels = Record<string, string>

function selects({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels): boolean {
  const of = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined)
  for (const [key, value] of Object.entries(matchLabels)) if (of(key) !== value) return false
  for (const { key, operator, values = [] } of matchExpressions) {
    const value = of(key)
    if (operator === 'In' && (value === undefined || !values.includes(value))) return false
    if (operator === 'NotIn' && value !== undefined && values.includes(value)) return false
    if (operator === 'Exists' && value === undefined) return false
    if (operator === 'DoesNotExist' && value !== undefined) return false
  }
  return true
}

interface Whole {
  metadata: { namespace: string; name: string; labels: Labels }
  status: { podIPs: { ip: string }[] }
  spec: { clusterIPs: string[] }
  endpoints: { addresses: string[] }[]
}

function modelOf({ objects }: FakeSources, target: EgressTarget): string[] {
  const all = (kind: keyof typeof objects) => [...objects[kind].values()] as unknown as Whole[]
  const isIn = ({ metadata }: Whole): boolean => target.namespace === '' || target.namespace === metadata.namespace
  const bySelector = ({ metadata }: Whole): boolean => selects(target.selector ?? {}, metadata.labels)
  if (target.kind === 'pods') {
    const meant = all('pods').filter((pod) => isIn(pod) && bySelector(pod))
    return [...new Set(meant.flatMap(({ status }) => status.podIPs.map(({ ip }) => `${ip} *`)))].sort()
  }
  const services = all('services').filter((one) =>
    target.kind === 'service' ? one.metadata.name === target.name : bySelector(one),
  )
  const slices = all('slices').filter((slice) => {
    const name = slice.metadata.labels['kubernetes.io/service-name']
    if (name === undefined || target.kind === 'service') return name !== undefined && name === target.name
    const isOf = ({ metadata }: Whole) => metadata.name === name && metadata.namespace === slice.metadata.namespace
    return bySelector(slice) || services.some(isOf)
  })
  const own = services.filter(isIn).flatMap(({ spec }) => spec.clusterIPs.map((one) => `${one} *`))
  const behind = slices.filter(isIn).flatMap(({ endpoints }) => endpoints.map(({ addresses }) => `${addresses[0]} 80`))
  return [...new Set([...own, ...behind])].sort()
}

const word = fc.constantFrom('x', 'y')
const namespace = fc.constantFrom('a', 'b')
const labels = fc.dictionary(fc.constantFrom('app', 'tier', 'constructor'), word, { maxKeys: 2 })
const requirement = fc.record({
  key: fc.constantFrom('app', 'tier', 'constructor'),
  operator: fc.constantFrom('In' as const, 'NotIn' as const, 'Exists' as const, 'DoesNotExist' as const),
  values: fc.uniqueArray(word, { minLength: 1, maxLength: 2 }),
})
const selector: fc.Arbitrary<LabelSelector> = fc.record({
  matchLabels: labels,
  matchExpressions: fc.array(requirement, { maxLength: 2 }),
})
const name = fc.constantFrom('one', 'two', 'three')
const ip = fc.integer({ min: 1, max: 9 }).map((last) => `10.0.0.${last}`)
const target: fc.Arbitrary<EgressTarget> = fc.oneof(
  fc.record({ kind: fc.constant('pods' as const), namespace: fc.constantFrom('', 'a', 'b'), selector }),
  fc.record({ kind: fc.constant('services' as const), namespace: fc.constantFrom('', 'a', 'b'), selector }),
  fc.record({ kind: fc.constant('service' as const), namespace, name }),
)
const ips = fc.uniqueArray(ip, { maxLength: 3 })
const objectOf = {
  pods: fc.tuple(namespace, name, labels, ips).map(([space, one, all, ips]) => podOf(space, one, all, ...ips)),
  services: fc
    .tuple(namespace, name, labels, ips)
    .map(([space, one, all, clusterIPs]) => serviceObject(space, one, all, { clusterIPs })),
  slices: fc
    .tuple(namespace, name, fc.option(name, { nil: undefined }), labels, ips)
    .map(([space, one, of, all, ips]) =>
      sliceOf(space, one, { labels: all, ...(of !== undefined && { service: of }) }, ips, [80]),
    ),
}
const kinds = ['pods', 'services', 'slices'] as const
const change = fc.oneof(
  ...kinds.map((kind) => ({ weight: 3, arbitrary: objectOf[kind].map((object) => ({ put: kind, object }) as const) })),
  ...kinds.map((kind) =>
    fc.tuple(namespace, name).map(([space, one]) => ({ gone: kind, key: `${space}/${one}` }) as const),
  ),
)
const want = fc
  .tuple(fc.constantFrom('demo/p', 'demo/q'), fc.array(target, { minLength: 1, maxLength: 3 }))
  .map(([profile, targets]) => {
    const byText = new Map(targets.map((one) => [targetText(one), one]))
    return { profile, targets: [...byText.values()] } as const
  })
const step = fc.oneof(
  { weight: 12, arbitrary: change },
  { weight: 1, arbitrary: want },
  { weight: 6, arbitrary: fc.constant({ wait: true } as const) },
)

describe('the addresses of targets', () => {
  it('lose an EndpointSlice that leaves its Service and goes before anybody looks', async () => {
    const { cluster, directory, run } = worldOf()
    const everything = { kind: 'services', namespace: '', selector: {} } as const
    directory.want('demo/p', [everything])
    cluster.put('slices', sliceOf('b', 'one', { service: 'one' }, ['10.0.0.1'], [80]))
    await run()
    expect(directory.addressesOf('demo/p')![0]!.groups).to.have.length(1)
    cluster.put('slices', sliceOf('b', 'one', {}, []))
    cluster.delete('slices', 'b/one')
    await run()
    expect(directory.addressesOf('demo/p')![0]!.groups).to.deep.equal([])
    await directory.stop()
  })

  it('are those that a look at everything finds, whatever came in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 8 }),
        want,
        fc.array(step, { maxLength: 30 }),
        async (first, then, more) => {
          const steps = [...first, then, { wait: true } as const, ...more]
          const { cluster, directory, run, clock } = worldOf()
          const wanted = new Map<string, readonly EgressTarget[]>()
          for (const one of steps) {
            if ('put' in one) cluster.put(one.put, one.object)
            else if ('gone' in one) cluster.delete(one.gone, one.key)
            else if ('profile' in one) {
              wanted.set(one.profile, one.targets)
              directory.want(one.profile, one.targets)
            } else await run(1)
          }
          await run()
          for (const [profile, targets] of wanted) {
            const found = directory.addressesOf(profile)!
            const flat = found.map(({ groups }) =>
              groups.flatMap(({ addresses, ports = ['*'] }) => addresses.map((one) => `${one} ${ports.join()}`)).sort(),
            )
            expect(flat).to.deep.equal(targets.map((one) => modelOf(cluster, one)))
          }
          await directory.stop()
          expect(clock.timers).to.equal(0)
        },
      ),
      { numRuns: 400 },
    )
  })
})
