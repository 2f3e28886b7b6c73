import { expect } from 'chai'
import type { AnyPolicy } from '../../../actors/ports.ts'
import { done, labels, PROFILE, restarting, worldOf } from './rollouts.ts'
import { policySpec } from './world.ts'

const hour = 3_600_000
const year = 365 * 24 * hour
const sets = [
  { what: 'an hour back', by: -hour },
  { what: 'an hour ahead', by: hour },
  { what: 'a year back', by: -year },
  { what: 'a year ahead', by: year },
]

const mark = 'container.apparmor.security.beta.varmor.org/main'
const inProfile = {
  template: { metadata: { annotations: { [mark]: PROFILE } }, spec: { containers: [{ name: 'main' }] } },
}

describe('a manager whose time of day is set', () => {
  const restarts = async (by: number): Promise<object> => {
    const { world } = worldOf(5)
    await world.runFor(10_000)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.restarts.length === 2)
    world.clock.setWall(by)
    await done(world, key)
    await world.runFor(300_000)
    return [
      world.restarts,
      world.manager!.events.map(({ reason }) => reason),
      world.condition(key, 'Restarting')?.reason,
    ]
  }

  const recording = async (by: number): Promise<object> => {
    const { world } = worldOf(0, { policy: { behaviorModeling: true } })
    const spec = policySpec()
    spec.policy = { enforcer: 'AppArmor', mode: 'BehaviorModeling', modelingOptions: { duration: 10 } }
    const key = world.policy('web', spec)
    const isOpen = (): boolean | undefined =>
      world.manager!.session.profile('demo', 'varmor-demo-web')?.spec.behaviorModeling.enable
    await world.runUntil(() => isOpen() === true)
    const seen: (boolean | undefined)[] = []
    for (let minute = 0; minute < 12; minute++) {
      if (minute === 5) world.clock.setWall(by)
      await world.runFor(60_000)
      seen.push(isOpen())
    }
    expect(seen).to.include.members([true, false])
    return [seen, world.getPolicy(key)?.status?.phase]
  }

  /** No webhook is involved, so only times tell which workloads need a restart. */
  const beside = async (by: number): Promise<object> => {
    const { world } = worldOf(0)
    const make = (name: string): string => world.workload('Deployment', name, { labels: labels() })
    const restarted = async (): Promise<string[]> => {
      await done(world, key)
      return world.restarts.splice(0).map(({ workload }) => workload)
    }
    await world.runFor(10_000)
    world.clock.setWall(by)
    const old = ['first', 'second'].map(make)
    const key = world.policy('web', restarting())
    await world.runUntil(() => world.restarts.length === 1)
    await world.runFor(1_500)
    const later = make('later')
    expect(await restarted()).to.have.members(old)
    world.api.update(key, (object) => {
      ;(object as unknown as AnyPolicy).spec.policy.enforcer = 'AppArmorSeccomp'
    })
    await world.runUntil(() => world.getPolicy(key)?.status?.restart?.done === false)
    expect(await restarted(), 'by an update').to.have.members([...old, later])
    world.workload('Deployment', 'in-profile', { labels: labels(), ...inProfile })
    world.api.delete(key)
    await world.runUntil(() => world.getPolicy(key) === undefined, 600_000)
    return [
      world.restarts.length,
      world.getWorkload('Deployment/demo/in-profile').spec.template.metadata?.annotations?.[mark],
    ]
  }

  for (const { what, by } of sets) {
    it(`${what}, beside the API server's, restarts what was there, and nothing that is made later`, async () =>
      expect(await beside(by)).to.deep.equal([4, undefined]))

    it(`${what} restarts workloads one after the other, as before`, async () =>
      expect(await restarts(by)).to.deep.equal(await restarts(0)))

    it(`${what} records behaviour for as long as the policy says`, async () =>
      expect(await recording(by)).to.deep.equal(await recording(0)))

    it(`${what} prints the time of day as it is then`, async () => {
      const { world } = worldOf(0)
      await world.runFor(10_000)
      world.clock.setWall(by)
      const key = world.policy('web', policySpec())
      await world.runUntil(() => world.condition(key, 'Ready') !== undefined)
      const stamp = Date.parse(world.condition(key, 'Ready')?.lastTransitionTime ?? '')
      expect(world.clock.wall() - stamp).to.be.within(0, 60_000)
    })
  }
})
