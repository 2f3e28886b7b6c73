import { expect } from 'chai'
import type { EgressAddresses } from '../../../src/api/types.ts'
import { ready, worldOf } from './policy-world.ts'
import { policySpec, type World } from './world.ts'

const AP = 'varmor-demo-web'
const target = 'pods of demo: app=db'
const spec = policySpec({
  updateExistingWorkloads: true,
  policy: {
    enforcer: 'BPF',
    mode: 'EnhanceProtect',
    enhanceProtect: {
      hardeningRules: ['disallow-mount'],
      bpfRawRules: {
        network: { egress: { toPods: [{ namespace: 'demo', podSelector: { matchLabels: { app: 'db' } } }] } },
      },
    },
  },
})

const of = (...addresses: string[]): EgressAddresses[] => [{ target, groups: [{ addresses }] }]

/** A world in which `move` sets the pods' addresses. */
function moving(nodes: number, policy = {}): { world: World; move: (now: EgressAddresses[] | undefined) => void } {
  let addresses: EgressAddresses[] | undefined
  const world = worldOf(nodes, {
    egress: () => ({ addresses, sharing: 1 }),
    policy: { egressControl: { pods: true, services: true }, ...policy },
  })
  const move = (now: EgressAddresses[] | undefined): void => {
    addresses = now
    world.manager?.policies.of('VarmorPolicy/demo/web').tell({ type: 'changed' })
  }
  return { world, move }
}

const writesOf = ({ api }: World): number => api.writes['profile-status'] ?? 0

describe('the addresses that rules of a policy are about', () => {
  it('are written into its ArmorProfile, which says whose they are', async () => {
    const { world, move } = moving(2)
    const key = world.policy('web', spec)
    await ready(world, key)
    expect(world.getProfile(AP)!.spec.egressTargets).to.deep.equal([
      { kind: 'pods', namespace: 'demo', selector: { matchLabels: { app: 'db' } } },
    ])
    expect(world.getProfile(AP)!.status!.egress, 'not known yet').to.equal(undefined)
    move(of('10.0.0.1'))
    await world.runFor(3_000)
    expect(world.getProfile(AP)!.status).to.deep.include({ egress: of('10.0.0.1'), currentNumberLoaded: 2 })
  })

  it('change without a new generation, a restart, or a word in the status of the policy', async () => {
    const { world, move } = moving(2)
    const key = world.policy('web', spec)
    world.workload('Deployment', 'web')
    move(of('10.0.0.1'))
    await ready(world, key)
    await world.runFor(120_000)
    const before = structuredClone({ policy: world.getPolicy(key), restarts: world.restarts })
    expect(before.restarts).to.have.length(1)
    move(of('10.0.0.1', '10.0.0.2'))
    await world.runFor(120_000)
    expect(world.getProfile(AP)!.status!.egress).to.deep.equal(of('10.0.0.1', '10.0.0.2'))
    expect(world.getProfile(AP)!.metadata.generation).to.equal(1)
    expect({ policy: world.getPolicy(key), restarts: world.restarts }).to.deep.equal(before)
    move([])
    await world.runFor(5_000)
    expect(world.getProfile(AP)!.status).not.to.have.property('egress')
  })

  it('are written once a second however often they change, and seldom where that is much for all nodes', async () => {
    for (const { bytes, max, least } of [
      { bytes: 1e9, max: 62, least: 55 },
      { bytes: 100, max: 4, least: 2 },
    ]) {
      const { world, move } = moving(2, { watchBytesPerSecond: bytes })
      const key = world.policy('web', spec)
      move(of('10.0.0.1'))
      await ready(world, key)
      await world.runFor(60_000)
      const before = writesOf(world)
      for (let i = 0; i < 600; i++) {
        move(of(`10.0.1.${i % 250}`))
        await world.runFor(100)
      }
      expect(writesOf(world) - before).to.be.within(least, max)
      await world.runFor(31_000)
      expect(world.getProfile(AP)!.status!.egress).to.deep.equal(of('10.0.1.99'))
    }
  })

  it('stay until a new manager knows them, and are written then though its status waits for nodes', async () => {
    const { world, move } = moving(2)
    const key = world.policy('web', spec)
    move(of('10.0.0.1'))
    await ready(world, key)
    await world.runFor(30_000)
    world.crashManager()
    move(undefined)
    world.startManager()
    await world.runFor(2_000)
    expect(world.getProfile(AP)!.status!.egress).to.deep.equal(of('10.0.0.1'))
    move(of('10.0.0.3'))
    await world.runFor(200)
    expect(world.getProfile(AP)!.status!.egress).to.deep.equal(of('10.0.0.3'))
  })

  it('for which there is no room are counted in the status of the policy', async () => {
    const { world, move } = moving(1)
    const key = world.policy('web', spec)
    move([{ ...of('10.0.0.1')[0]!, omitted: 12 }])
    await ready(world, key)
    await world.runFor(5_000)
    expect(world.condition(key, 'RulesSkipped')!.message).to.match(/12 addresses of pods of demo: app=db/)
  })

  it('for which its namespace has no room are named in the status of the policy, with what helps', async () => {
    const { world, move } = moving(1)
    const key = world.policy('web', spec)
    move([{ target, groups: [], leftOut: 'room' }])
    await ready(world, key)
    await world.runFor(5_000)
    expect(world.condition(key, 'RulesSkipped')!.message).to.match(
      /BPF does not enforce any address of pods of demo: app=db: .* than the quota allows; use fewer different selectors/,
    )
  })
})
