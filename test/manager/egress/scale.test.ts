import { expect } from 'chai'
import { seededRandom } from '../../../src/base/random.ts'
import { EgressDirectory } from '../../../src/manager/egress/egress-directory.ts'
import { policySpec, World } from '../../actors/control-plane/world.ts'
import { FakeSources, podOf } from './fake-sources.ts'

const PODS = 10_000
const POLICIES = 100
const SECONDS = 30

const specOf = (i: number) =>
  policySpec({
    policy: {
      enforcer: 'BPF',
      mode: 'EnhanceProtect',
      enhanceProtect: {
        bpfRawRules: { network: { egress: { toPods: [{ podSelector: { matchLabels: { app: `app-${i}` } } }] } } },
      },
    },
  })
const addressOf = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
const labelsOf = (i: number) => ({ app: `app-${i % POLICIES}` })

describe(`${PODS} pods that come and go under ${POLICIES} policies about them`, () => {
  it('cost a write a second and policy at most, and all their addresses arrive', async () => {
    const cluster = new FakeSources()
    const random = seededRandom(7)
    for (let i = 0; i < PODS; i++) cluster.put('pods', podOf('demo', `pod-${i}`, labelsOf(i), addressOf(i)))
    let directory: EgressDirectory | undefined
    const world = new World({
      policy: { egressControl: { pods: true, services: false } },
      egress: ({ metadata: { namespace, name }, spec }) => {
        directory!.want(`${namespace}/${name}`, spec.egressTargets)
        return { addresses: directory!.addressesOf(`${namespace}/${name}`), sharing: directory!.profiles }
      },
    })
    const { clock } = world
    const changed = (key: string): void => {
      world.manager!.policies.of(key.replace('demo/varmor-demo-', 'VarmorPolicy/demo/')).tell({ type: 'changed' })
    }
    directory = new EgressDirectory({ reflect: cluster.sources, clock, changed })
    world.addNode('node')
    world.startManager()
    for (let i = 0; i < POLICIES; i++) world.policy(`p-${i}`, specOf(i))
    await world.runFor(60_000)
    const before = { ...world.api.writes }
    const count = (): number => (world.api.writes['profile-status'] ?? 0) - (before['profile-status'] ?? 0)

    let next = PODS
    let changes = 0
    for (let tenth = 0; tenth < SECONDS * 10; tenth++) {
      for (let n = 0; n < 50; n++, changes++) {
        const i = Math.floor(random() * PODS)
        cluster.put('pods', podOf('demo', `pod-${i}`, labelsOf(i), addressOf(next++)))
      }
      await world.runFor(100)
    }
    expect(changes).to.equal(SECONDS * 500)
    expect(count()).to.be.within(POLICIES, POLICIES * (SECONDS + 1))
    await world.runFor(10_000)
    for (let i = 0; i < POLICIES; i++) {
      const { status } = world.getProfile(`varmor-demo-p-${i}`)!
      const now = [...cluster.objects.pods.values()] as ReturnType<typeof podOf>[]
      const expected = now
        .filter(({ metadata }) => metadata!.labels!['app'] === `app-${i}`)
        .map((pod) => (pod as unknown as { status: { podIPs: { ip: string }[] } }).status.podIPs[0]!.ip)
      expect(status!.egress![0]!.groups[0]!.addresses).to.deep.equal(expected.sort())
    }
    // The manager wrote only the addresses, in the status of profiles.
    expect({ ...world.api.writes, 'profile-status': 0 }).to.deep.equal({ ...before, 'profile-status': 0 })
    const quiet = count()
    await world.runFor(60_000)
    expect(count()).to.equal(quiet)
    await directory.stop()
  })
})
