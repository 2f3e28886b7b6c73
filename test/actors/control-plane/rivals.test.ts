import { expect } from 'chai'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import type { AnyPolicy } from '../../../actors/ports.ts'
import { INSTALL_NAMESPACE, policySpec, World } from './world.ts'

const plain = 'varmor-team-prod-web'
const hashed = /^varmor-team-prod-web-[0-9a-f]{8}$/

function worldOf(nodes: number): World {
  const world = new World()
  for (let i = 0; i < nodes; i++) world.addNode(`node-${i}`)
  return world
}

const nameOf = (world: World, key: string): string => world.getPolicy(key)?.status?.profileName ?? ''

async function ready(world: World, ...keys: string[]): Promise<void> {
  const isReady = (key: string) => world.getPolicy(key)?.status?.ready === true
  const all = await world.runUntil(() => keys.every(isReady), 120_000)
  expect(all, JSON.stringify(keys.map((key) => world.getPolicy(key)?.status))).to.equal(true)
  expect(world.manager?.failures).to.deep.equal([])
}

/** Checks that the policy's ArmorProfile has the policy's own name and rule, and not the other policy's rule. */
function expectOwn(world: World, key: string, rule: string, other: string): void {
  const { namespace } = world.getPolicy(key)!.metadata
  const profile = world.getProfile(nameOf(world, key), namespace)!
  expect(profile.spec.profile.name).to.equal(nameOf(world, key))
  expect(profile.spec.profile.appArmor)
    .to.include(`profile ${nameOf(world, key)} `)
    .and.include(rule)
    .and.not.include(other)
}

const [pattern, symbols] = ['disallow-write-core-pattern', 'disallow-access-kallsyms']

describe('policies that would have one name for their profiles', () => {
  it('of two tenants are both enforced, apart, and each says what its profile is called', async () => {
    const world = worldOf(2)
    world.startManager()
    const first = world.policy('prod-web', policySpec({ rules: [pattern] }), 'team')
    await ready(world, first)
    const second = world.policy('web', policySpec({ rules: [symbols] }), 'team-prod')
    await ready(world, first, second)
    expect(nameOf(world, first)).to.equal(plain)
    expect(nameOf(world, second)).to.match(hashed)
    expectOwn(world, first, 'core_pattern', 'kallsyms')
    expectOwn(world, second, 'kallsyms', 'core_pattern')
    for (const agent of world.agents.values())
      expect([...agent.loaded.keys()].sort()).to.deep.equal(
        [`ArmorProfile/team/${plain}`, `ArmorProfile/team-prod/${nameOf(world, second)}`].sort(),
      )
  })

  it('made while no manager ran, or at once, have two names as well, which survive managers and the end of the first', async () => {
    const world = worldOf(2)
    const first = world.policy('prod-web', policySpec({ rules: [pattern] }), 'team')
    await world.runFor(2_000)
    const second = world.policy('web', policySpec({ rules: [symbols] }), 'team-prod')
    world.startManager()
    await ready(world, first, second)
    const name = nameOf(world, second)
    expect([nameOf(world, first), name.slice(0, -9)]).to.deep.equal([plain, plain])
    world.crashManager()
    world.startManager()
    await world.runFor(60_000)
    await ready(world, first, second)
    world.api.delete(first)
    await world.runUntil(() => world.getPolicy(first) === undefined, 120_000)
    world.crashManager()
    world.startManager()
    await world.runFor(60_000)
    expect(nameOf(world, second)).to.equal(name)
    expect(world.getProfile(name, 'team-prod')?.metadata.generation).to.equal(1)
    const third = world.policy('prod-web', policySpec({ rules: [pattern] }), 'team')
    await ready(world, third)
    expect(nameOf(world, third)).to.equal(plain)
  })

  it('and do have one, from before, are parted: the older one stays as it is, without a restart', async () => {
    const world = worldOf(2)
    const first = world.policy('prod-web', policySpec({ rules: [pattern], updateExistingWorkloads: true }), 'team')
    const second = world.policy('web', policySpec({ rules: [symbols] }), 'team-prod')
    for (const key of [first, second]) {
      const policy = world.getPolicy(key) as AnyPolicy
      const desired = desiredProfile(policy, { installNamespace: INSTALL_NAMESPACE, modeling: { state: 'none' } })
      if (!desired.ok) throw new Error('it does not compile')
      world.api.create('ArmorProfile', desired.document.metadata, desired.document.spec)
      await world.runFor(2_000)
    }
    const before = world.getProfile(plain, 'team')!
    world.startManager()
    await world.runUntil(() => hashed.test(nameOf(world, second)), 120_000)
    await ready(world, first, second)
    expect(world.getProfile(plain, 'team')?.metadata).to.include({ uid: before.metadata.uid, generation: 1 })
    expect(world.getProfile(plain, 'team-prod')).to.equal(undefined)
    expectOwn(world, second, 'kallsyms', 'core_pattern')
    expect(nameOf(world, first)).to.equal(plain)
    expect(world.restarts).to.deep.equal([])
  })

  it('too long for a profile are shortened, and apart', async () => {
    const world = worldOf(1)
    world.startManager()
    const keys = ['a', 'b'].map((end) => world.policy(`${'web-'.repeat(20)}${end}`, policySpec(), 'team'))
    await ready(world, ...keys)
    const names = keys.map((key) => nameOf(world, key))
    for (const name of names)
      expect(name)
        .to.match(/^varmor-team-(web-)*we?b?-[0-9a-f]{8}$/)
        .and.have.property('length')
        .at.most(63)
    expect(names[0]).to.not.equal(names[1])
  })
})

describe('an ArmorProfile of a manager from before, which agents would not load any more', () => {
  for (const [what, rules] of [
    ['compiles', [pattern]],
    ['does not compile any more', ['disallow-nothing-of-the-kind']],
  ] as const)
    it(`says that a manager made it, also where its policy ${what}, and is the same for nodes and pods`, async () => {
      const world = worldOf(1)
      const key = world.policy('web', policySpec({ rules: [pattern] }), 'demo')
      const policy = world.getPolicy(key) as AnyPolicy
      const desired = desiredProfile(policy, { installNamespace: INSTALL_NAMESPACE, modeling: { state: 'none' } })
      if (!desired.ok) throw new Error('it does not compile')
      const { labels: _, ...metadata } = desired.document.metadata
      const before = world.api.create('ArmorProfile', metadata, desired.document.spec)
      world.api.update(key, (one) => Object.assign(one, { spec: policySpec({ rules: [...rules] }) }))
      world.startManager()
      const label = () => world.getProfile('varmor-demo-web')?.metadata.labels?.['varmor.org/made-by']
      expect(await world.runUntil(() => label() !== undefined, 60_000)).to.equal(true)
      // The manager restores the label after its removal.
      world.api.update('ArmorProfile/demo/varmor-demo-web', (one) => delete one.metadata.labels)
      expect(await world.runUntil(() => label() === 'varmor-manager', 60_000)).to.equal(true)
      await world.runFor(10_000)
      expect(world.getProfile('varmor-demo-web')?.metadata).to.include({ uid: before.metadata.uid, generation: 1 })
      expect(world.getPolicy(key)?.status?.ready).to.equal(what === 'compiles')
    })
})
