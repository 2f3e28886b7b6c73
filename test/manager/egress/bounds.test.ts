import { expect } from 'chai'
import fc from 'fast-check'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import { MAX_TARGET_TEXT } from '../../../src/api/egress-left-out.ts'
import { targetText } from '../../../src/api/egress-target.ts'
import type { EgressTarget, LabelSelector } from '../../../src/api/types.ts'
import { sharesOf } from '../../../src/enforcer/bpf/shares.ts'
import { EgressDirectory, type EgressDirectoryOptions } from '../../../src/manager/egress/egress-directory.ts'
import { STEPS_A_TURN } from '../../../src/manager/egress/in-turns.ts'
import { CONDITIONS } from '../../../src/manager/egress/room.ts'
import { MAX_EGRESS_ADDRESSES, MAX_PORT_RANGES } from '../../../src/profile/bpf/limits.ts'
import { FakeSources, podOf, serviceObject, sliceOf } from './fake-sources.ts'

function worldOf(options: Partial<EgressDirectoryOptions> = {}) {
  const clock = new SimulatedClock(0)
  const cluster = new FakeSources()
  const said: string[] = []
  const turns: number[] = []
  const directory = new EgressDirectory({
    ...{ reflect: cluster.sources, clock, changed: (key: string) => void said.push(key) },
    turned: (steps) => void turns.push(steps),
    ...options,
  })
  /** Waits until the queues are empty and this many milliseconds have passed. */
  const run = async (milliseconds = 1_000): Promise<void> => {
    for (let turn = 0; turn < 4 || cluster.isBusy; turn++) await new Promise(setImmediate)
    const limit = clock.now() + milliseconds
    while (clock.step(limit)) await new Promise(setImmediate)
  }
  return { clock, cluster, directory, said, turns, run }
}

const services = (selector: LabelSelector, namespace = ''): EgressTarget => ({ kind: 'services', namespace, selector })
const without = (key: string): EgressTarget => services({ matchExpressions: [{ key, operator: 'DoesNotExist' }] })
const labelled = (value: string, namespace = ''): EgressTarget => services({ matchLabels: { app: value } }, namespace)
const addressOf = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

/** Adds Services in fifty namespaces, each with its own app. */
function fill(cluster: FakeSources, count: number): void {
  for (let i = 0; i < count; i++) {
    const labels = { app: `app-${i}`, managed: 'helm' }
    cluster.put('services', serviceObject(`n-${i % 50}`, `s-${i}`, labels, { clusterIPs: [addressOf(i)] }))
  }
}

const none = { targets: 0, bytes: 0, published: 0, lists: 0, tenants: 0 }

describe('selectors of one namespace that need no label', () => {
  const flood = (directory: EgressDirectory): void => {
    for (let i = 0; i < 20; i++)
      directory.want(
        `evil/p-${i}`,
        Array.from({ length: 64 }, (_, one) => without(`none-${i}-${one}`)),
      )
  }
  const leftOut = (directory: EgressDirectory): string[] =>
    Array.from({ length: 20 }, (_, i) => directory.addressesOf(`evil/p-${i}`)!)
      .flat()
      .flatMap(({ target, leftOut }) => (leftOut === undefined ? [] : [`${leftOut}: ${target}`]))

  it('take a bounded part of what an object is compared with, and what is over is left out by name', async () => {
    const { cluster, directory, run } = worldOf()
    fill(cluster, 1_000)
    flood(directory)
    directory.want('good/p', [without('mine'), labelled('app-7')])
    await run(10_000)
    const { one } = sharesOf(CONDITIONS)
    const left = leftOut(directory)
    expect(left).to.have.length(20 * 64 - one)
    expect(left.at(-1)).to.equal('conditions: services of all namespaces: !none-19-63')
    const [all, seventh] = directory.addressesOf('good/p')!
    expect(all!.groups[0]!.addresses).to.have.length(1_000)
    expect(seventh!.groups).to.deep.equal([{ addresses: [addressOf(7)] }])
    await directory.stop()
  })

  it('share the lists of what they mean', async () => {
    const { cluster, directory, run } = worldOf()
    fill(cluster, 2_000)
    flood(directory)
    await run(10_000)
    expect(directory.held.lists, 'of each namespace, and of all').to.equal(51)
    await directory.stop()
  })

  it('hold the first thread for no turn that is long, neither at first nor when a Service changes', async () => {
    const { cluster, directory, run, turns } = worldOf()
    fill(cluster, 1_000)
    flood(directory)
    await run(60_000)
    const max = Math.max(...turns)
    turns.length = 0
    cluster.put('services', serviceObject('n-1', 's-1', { app: 'app-1' }, { clusterIPs: ['10.9.9.9'] }))
    await run(10_000)
    // One admission of 64 targets, or one list of 4,096 addresses, runs without interruption.
    expect(Math.max(max, ...turns)).to.be.below(STEPS_A_TURN + 2 * MAX_EGRESS_ADDRESSES)
    expect(sum(turns), 'of one changed Service').to.be.below(200_000)
    await directory.stop()
  })

  it('that are left out cost nothing as long as nothing is given back', async () => {
    const { cluster, directory, run, turns } = worldOf()
    fill(cluster, 500)
    flood(directory)
    await run(60_000)
    turns.length = 0
    await run(600_000)
    expect(sum(turns)).to.equal(0)
    await directory.stop()
  })

  it('are as many as before when others of them have gone', async () => {
    const { cluster, directory, run } = worldOf()
    fill(cluster, 50)
    flood(directory)
    await run(5_000)
    for (let i = 0; i < 15; i++) directory.want(`evil/p-${i}`)
    await run(35_000)
    for (let i = 15; i < 20; i++)
      for (const { leftOut, groups } of directory.addressesOf(`evil/p-${i}`)!)
        expect([leftOut, groups[0]?.addresses.length]).to.deep.equal([undefined, 50])
    await directory.stop()
  })

  const popular: [string, (i: number) => EgressTarget][] = [
    [
      'that all ask for a label which all Services have',
      (i) =>
        services({
          matchLabels: { managed: 'helm' },
          matchExpressions: [{ key: `none-${i}`, operator: 'DoesNotExist' }],
        }),
    ],
    [
      'with many conditions each',
      (i) =>
        services({
          matchExpressions: Array.from({ length: 100 }, (_, one) => ({
            ...{ key: `none-${i}-${one}`, operator: 'DoesNotExist' as const },
          })),
        }),
    ],
    ['in one namespace', (i) => ({ ...without(`none-${i}`), namespace: 'n-1' })],
    ['of Pods', (i) => ({ ...without(`none-${i}`), kind: 'pods' })],
  ]
  for (const [what, target] of popular)
    it(`are bounded, ${what}`, async () => {
      const { cluster, directory, run } = worldOf()
      fill(cluster, 100)
      for (let i = 0; i < 20; i++)
        directory.want(
          `evil/p-${i}`,
          Array.from({ length: 64 }, (_, one) => target(64 * i + one)),
        )
      await run(5_000)
      const taken = Array.from({ length: 20 }, (_, i) => directory.addressesOf(`evil/p-${i}`)!)
        .flat()
        .filter((one) => one.leftOut === undefined).length
      expect(taken).to.be.within(1, sharesOf(CONDITIONS).one)
      await directory.stop()
    })
})

describe('the memory for targets', () => {
  const memory = 1_000_000
  const { one, namespaces, all } = sharesOf(memory)
  const own = (tenant: string, i: number, count = 64): EgressTarget[] =>
    Array.from({ length: count }, (_, j) => labelled(`${tenant}-${i}-${j}`))
  const leftOutOf = (directory: EgressDirectory, key: string): number =>
    directory.addressesOf(key)!.filter(({ leftOut }) => leftOut === 'room').length

  it('is no more than a namespace’s share for the policies of one, and others have theirs', async () => {
    const { directory, run } = worldOf({ memory })
    for (let i = 0; i < 10; i++) directory.want(`evil/p-${i}`, own('evil', i))
    await run()
    expect(directory.held.bytes).to.be.within(one - 3_000, one)
    expect(leftOutOf(directory, 'evil/p-9')).to.equal(64)
    directory.want('good/p', own('good', 0))
    await run()
    expect(leftOutOf(directory, 'good/p')).to.equal(0)
    await directory.stop()
  })

  it('is kept for cluster policies, whatever namespaces there are', async () => {
    const { directory, run } = worldOf({ memory })
    for (let n = 0; n < 5; n++) for (let i = 0; i < 10; i++) directory.want(`n-${n}/p-${i}`, own(`n-${n}`, i))
    await run()
    expect(directory.held.bytes).to.be.within(namespaces - 3_000, namespaces)
    directory.want('varmor/c', own('cluster', 0), { namespace: '' })
    await run()
    expect(leftOutOf(directory, 'varmor/c')).to.equal(0)
    expect(directory.held.bytes).to.be.at.most(all)
    await directory.stop()
  })

  it('is taken by what targets come to mean, too: who has no more room loses the target, and another namespace keeps it', async () => {
    const { cluster, directory, run } = worldOf({ memory })
    const target = labelled('db')
    cluster.put('services', serviceObject('a', 'one', { app: 'db' }, { clusterIPs: ['10.0.0.1'] }))
    for (let i = 0; i < 5; i++)
      directory.want(`full/p-${i}`, i === 0 ? [target, ...own('full', i, 63)] : own('full', i))
    directory.want('good/p', [target])
    await run()
    expect(directory.addressesOf('full/p-0')![0]!.groups).to.have.length(1)
    const many = Array.from({ length: 1_000 }, (_, i) => addressOf(i))
    cluster.put('slices', sliceOf('a', 's', { service: 'one' }, many, [80]))
    await run()
    expect(directory.addressesOf('full/p-0')![0]).to.deep.equal({
      target: targetText(target),
      groups: [],
      leftOut: 'room',
    })
    expect(directory.addressesOf('good/p')![0]!.groups[1]!.addresses).to.have.length(1_000)
    for (let i = 2; i < 5; i++) directory.want(`full/p-${i}`)
    await run(31_000)
    expect(directory.addressesOf('full/p-0')![0]!.groups[1]!.addresses, 'now there is room').to.have.length(1_000)
    await directory.stop()
  })

  it('is not asked for again by what has come to need more than there is', async () => {
    const { cluster, directory, run, turns } = worldOf({ memory })
    fill(cluster, 10_000)
    directory.want('evil/p', [services({}), labelled('app-1')])
    await run(60_000)
    expect(directory.addressesOf('evil/p')!.map(({ leftOut }) => leftOut)).to.deep.equal(['room', undefined])
    turns.length = 0
    await run(600_000)
    expect(sum(turns), 'twenty looks whether there is room').to.be.below(2_000)
    await directory.stop()
  })

  it('is taken once for a target that several namespaces have', async () => {
    const { directory, run } = worldOf({ memory })
    for (let n = 0; n < 100; n++) directory.want(`n-${n}/p`, own('same', 0, 10))
    await run()
    for (let n = 0; n < 100; n++) expect(leftOutOf(directory, `n-${n}/p`)).to.equal(0)
    expect(directory.held).to.include({ targets: 10, tenants: 100 })
    await directory.stop()
  })

  it('is for addresses in statuses of ArmorProfiles, too', async () => {
    const { cluster, directory, run } = worldOf({ published: 10_000 })
    for (let i = 0; i < 1_000; i++) cluster.put('pods', podOf('a', `p-${i}`, {}, addressOf(i)))
    const everything: EgressTarget = { kind: 'pods', namespace: '', selector: {} }
    for (let i = 0; i < 5; i++) directory.want(`evil/p-${i}`, [everything])
    await run()
    const found = Array.from({ length: 5 }, (_, i) => directory.addressesOf(`evil/p-${i}`)![0]!)
    expect(found.map(({ leftOut }) => leftOut)).to.deep.equal([undefined, undefined, undefined, 'room', 'room'])
    directory.want('evil/p-0')
    await run(31_000)
    expect(directory.addressesOf('evil/p-3')![0]!.groups[0]!.addresses).to.have.length(1_000)
    await directory.stop()
  })
})

describe('a target', () => {
  it('is one for all spellings, of which each policy has its own', async () => {
    const { cluster, directory, run } = worldOf()
    fill(cluster, 10)
    const spellings: LabelSelector[] = [
      { matchLabels: { app: 'app-1', managed: 'helm' } },
      { matchLabels: { managed: 'helm', app: 'app-1' } },
      {
        matchLabels: { managed: 'helm' },
        matchExpressions: [{ key: 'app', operator: 'In', values: ['app-1', 'app-1'] }],
      },
      {
        matchExpressions: [
          { key: 'app', operator: 'In', values: ['app-1'] },
          { key: 'managed', operator: 'In', values: ['helm'] },
          { key: 'app', operator: 'In', values: ['app-1'] },
        ],
      },
    ]
    for (const [i, selector] of spellings.entries()) directory.want(`demo/p-${i}`, [services(selector)])
    await run()
    expect(directory.held.targets).to.equal(1)
    for (const [i, selector] of spellings.entries())
      expect(directory.addressesOf(`demo/p-${i}`)).to.deep.equal([
        { target: targetText(services(selector)), groups: [{ addresses: [addressOf(1)] }] },
      ])
    await directory.stop()
  })

  it('whose selector is too long is left out by name', async () => {
    const { directory, run } = worldOf()
    const values = Array.from({ length: MAX_TARGET_TEXT / 4 }, (_, i) => `v${i}`)
    directory.want('demo/p', [services({ matchExpressions: [{ key: 'app', operator: 'NotIn', values }] })])
    await run()
    expect(directory.addressesOf('demo/p')![0]).to.deep.include({ groups: [], leftOut: 'selector' })
    expect(directory.watched).to.deep.equal([])
    await directory.stop()
  })
})

describe('one object', () => {
  const target = labelled('db')
  it('counts for no more addresses than an ArmorProfile has room for', async () => {
    const { cluster, directory, run } = worldOf()
    const many = Array.from({ length: 20_000 }, (_, i) => addressOf(i))
    cluster.put('slices', sliceOf('a', 's', { service: 'one', labels: { app: 'db' } }, many, [80]))
    directory.want('demo/p', [target])
    await run()
    const [found] = directory.addressesOf('demo/p')!
    expect(found!.groups[0]!.addresses).to.have.length(MAX_EGRESS_ADDRESSES)
    expect(found!.omitted).to.equal(20_000 - MAX_EGRESS_ADDRESSES)
    await directory.stop()
  })

  it('brings no more ports than a node takes of an ArmorProfile', async () => {
    const { cluster, directory, run } = worldOf()
    const ports = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + 2 * i)
    for (let i = 0; i < 100; i++)
      cluster.put(
        'slices',
        sliceOf('evil', `s-${i}`, { service: 's', labels: { app: 'db' } }, [addressOf(i)], ports(1 + i, 1_000)),
      )
    cluster.put(
      'slices',
      sliceOf('evil', 'wide', { service: 's', labels: { app: 'db' } }, ['10.9.0.1'], ports(1, 20_000)),
    )
    cluster.put('slices', sliceOf('good', 's', { service: 's', labels: { app: 'db' } }, ['10.9.0.2'], [5432]))
    directory.want('demo/p', [target])
    await run()
    const [found] = directory.addressesOf('demo/p')!
    expect(sum(found!.groups.map(({ ports = [] }) => ports.length))).to.be.at.most(MAX_PORT_RANGES)
    expect(found!.groups).to.deep.include({ addresses: ['10.9.0.2'], ports: [5432] })
    expect(found!.omitted).to.be.at.least(95)
    await directory.stop()
  })

  it('that comes and goes all the time takes a tenth of the first thread, and others are followed', async () => {
    const { cluster, directory, run, turns } = worldOf()
    fill(cluster, 1_000)
    for (let i = 0; i < 6; i++)
      directory.want(
        `demo/p-${i}`,
        Array.from({ length: 64 }, (_, one) => without(`none-${i}-${one}`)),
      )
    directory.want('good/p', [labelled('db')])
    await run(20_000)
    turns.length = 0
    const SECONDS = 20
    for (let i = 0; i < SECONDS * 20; i++) {
      cluster.put('services', serviceObject('evil', `f-${i % 7}`, { app: 'x' }, { clusterIPs: [addressOf(5_000 + i)] }))
      if (i === 200) cluster.put('services', serviceObject('good', 'db', { app: 'db' }, { clusterIPs: ['10.9.9.9'] }))
      await run(50)
    }
    // The thread does 2,000 steps per millisecond. The tenant that changes objects and the tenant that selects them get
    // a tenth each, and may exceed it by one second at the end.
    expect(sum(turns)).to.be.below(2 * 200 * (SECONDS * 1_000 + 1_000))
    expect(directory.addressesOf('good/p')![0]!.groups).to.deep.equal([{ addresses: ['10.9.9.9'] }])
    await directory.stop()
  })
})

describe('a policy that is deleted and made again all the time', () => {
  it('takes a tenth of the first thread, and the addresses of others come', async () => {
    const { cluster, directory, run, turns } = worldOf()
    fill(cluster, 2_000)
    directory.want('good/p', [labelled('app-3')])
    await run(5_000)
    turns.length = 0
    const SECONDS = 20
    for (let i = 0; i < SECONDS * 10; i++) {
      directory.want(
        'evil/p',
        Array.from({ length: 64 }, (_, one) => without(`none-${i}-${one}`)),
      )
      await run(100)
      directory.want('evil/p')
      if (i === 100) directory.want('good/q', [labelled('app-4')])
    }
    expect(sum(turns)).to.be.below(2 * 200 * (SECONDS * 1_000 + 1_000))
    expect(directory.addressesOf('good/q')![0]!.groups).to.deep.equal([{ addresses: [addressOf(4)] }])
    await directory.stop()
  })
})

describe('policies that come, change and go', () => {
  const target = fc.oneof(
    fc.nat({ max: 20 }).map((i) => labelled(`app-${i}`)),
    fc.nat({ max: 20 }).map((i) => without(`none-${i}`)),
    fc.constantFrom<EgressTarget>(
      { kind: 'service', namespace: 'n-1', name: 's-1' },
      { kind: 'pods', namespace: '', selector: {} },
    ),
  )
  const step = fc.record({
    tenant: fc.constantFrom('a', 'b', 'c'),
    policy: fc.nat({ max: 4 }),
    targets: fc.uniqueArray(target, { maxLength: 6, selector: targetText }),
    service: fc.nat({ max: 59 }),
    wait: fc.constantFrom(0, 1, 300, 31_000),
  })

  it('leave nothing behind, whatever room there was', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.constantFrom(20_000, 60_000, 10_000_000),
        async (steps, memory) => {
          const { cluster, directory, run, clock } = worldOf({ memory, published: memory / 100 })
          fill(cluster, 60)
          const wanted = new Map<string, readonly EgressTarget[]>()
          for (const { tenant, policy, targets, service: i, wait } of steps) {
            wanted.set(`${tenant}/p-${policy}`, targets)
            directory.want(`${tenant}/p-${policy}`, targets)
            const labels = { app: `app-${i % 7}` }
            cluster.put(
              'services',
              serviceObject(`n-${i % 50}`, `s-${i}`, labels, { clusterIPs: [addressOf(i + 100)] }),
            )
            if (wait > 0) await run(wait)
          }
          await run(1_000)
          for (const [key, targets] of wanted)
            expect(directory.addressesOf(key)!.map(({ target }) => target)).to.deep.equal(targets.map(targetText))
          expect(directory.held.bytes).to.be.at.most(memory)
          for (const key of wanted.keys()) directory.want(key)
          await run(1_000)
          expect(directory.held).to.deep.equal(none)
          expect([directory.watched, directory.profiles]).to.deep.equal([[], 0])
          await directory.stop()
          expect(clock.timers).to.equal(0)
        },
      ),
      { numRuns: 100 },
    )
  })
})
