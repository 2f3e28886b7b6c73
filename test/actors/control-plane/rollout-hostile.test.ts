import { expect } from 'chai'
import { PortError, type Workload } from '../../../actors/ports.ts'
import { RESTARTED_AT } from '../../../actors/rollout/restarted-at.ts'
import { done, labels, restarting, worldOf } from './rollouts.ts'
import type { World } from './world.ts'

const DEADLINE = 60_000
const VICTIM = 'Deployment/a/one'
const OTHERS = ['b', 'c'].map((namespace) => `Deployment/${namespace}/one`)
const spec = restarting({ target: { kind: 'Deployment', selector: { matchLabels: labels() } } })

/**
 * A world with a tenant that has a Deployment in one namespace, tenants in two other namespaces, and an administrator.
 */
async function cluster(): Promise<World> {
  const { world } = worldOf(0, { rollout: { deadline: DEADLINE } })
  for (const namespace of ['a', 'b', 'c']) world.workload('Deployment', 'one', { labels: labels(), namespace })
  await world.runFor(10_000)
  return world
}

type Annotations = Record<string, string>

const annotate = (world: World, change: (annotations: Annotations) => void, workload = VICTIM): unknown =>
  world.api.update(workload, (object) => {
    const { template } = (object as unknown as Workload).spec
    template.metadata!.annotations ??= {}
    change(template.metadata!.annotations)
  })

const say = (world: World, change: string, time: string, workload = VICTIM): unknown =>
  annotate(
    world,
    (annotations) => {
      annotations[RESTARTED_AT] = `${change}@${time}`
    },
    workload,
  )

/** Changes that a tenant makes repeatedly to a Deployment; `every` is in milliseconds. */
const rows: { what?: string; act: (world: World, change: string) => void; every: number }[] = [
  {
    what: 'was restarted in the year 9999',
    act: (world, change) => say(world, change, '9999-01-01T00:00:00Z'),
    every: 5_000,
  },
  {
    what: 'was restarted in the year 1970',
    act: (world, change) => say(world, change, '1970-01-01T00:00:00Z'),
    every: 5_000,
  },
  {
    what: 'was restarted just now',
    act: (world, change) => say(world, change, world.api.timeText()),
    every: DEADLINE / 3,
  },
  {
    what: 'was restarted just now, and recreates it',
    act: (world, change) => {
      world.api.delete(VICTIM)
      world.workload('Deployment', 'one', { labels: labels(), namespace: 'a' })
      say(world, change, world.api.timeText())
    },
    every: DEADLINE / 2,
  },
  {
    what: 'was never restarted',
    act: (world) => {
      world.repair(VICTIM)
      annotate(world, (annotations) => {
        delete annotations[RESTARTED_AT]
        annotations['container.apparmor.security.beta.varmor.org/main'] = 'localhost/his'
      })
    },
    every: 2_000,
  },
]

function again(world: World, change: string, { act, every }: (typeof rows)[number]): void {
  act(world, change)
  world.clock.after(every, () => again(world, change, { act, every }))
}

const restartsOf = (world: World, workload: string): number =>
  world.restarts.filter((one) => one.workload === workload).length

/** Waits until the restarts have started. @returns the key of the policy, and the name of the change */
async function restartsStarted(world: World): Promise<{ key: string; change: string }> {
  const key = world.clusterPolicy('all', spec)
  await world.runUntil(() => world.getPolicy(key)?.status?.restart !== undefined)
  return { key, change: world.getPolicy(key)!.status!.restart!.change }
}

describe('a tenant whose Deployment', () => {
  for (const row of rows)
    it(`says again and again that it ${row.what} does not hold up the restarts in other namespaces`, async () => {
      const world = await cluster()
      const { key, change } = await restartsStarted(world)
      world.broken.add(VICTIM)
      again(world, change, row)
      await world.runFor(3 * DEADLINE)
      expect(OTHERS.map((other) => restartsOf(world, other))).to.deep.equal([1, 1])
      expect(world.manager!.limiter.inFlight).to.equal(0)
      const { reason, message } = world.condition(key, 'Restarting')!
      if (reason === 'Paused') expect(message).to.contain('2 of 3').and.contain('Deployment a/one')
      else expect(reason).to.equal('Done')
    })

  for (const row of rows)
    it(`says again and again that it ${row.what} does not delay the end of a profile, and is named`, async () => {
      const world = await cluster()
      const { key } = await restartsStarted(world)
      await done(world, key)
      world.restarts.length = 0
      world.broken.add(VICTIM)
      world.api.delete(key)
      await world.runUntil(() => restartsOf(world, VICTIM) === 1)
      again(world, world.changesOf(VICTIM).at(-1)!, row)
      await world.runFor(3 * DEADLINE)
      expect(OTHERS.map((other) => restartsOf(world, other))).to.deep.equal([1, 1])
      expect(world.manager!.limiter.inFlight).to.equal(0)
      if (world.getPolicy(key) !== undefined)
        expect(world.condition(key, 'Ready')?.message).to.match(
          /2 of 3; Deployment a\/one was restarted .*; to remove the profile without restarts, set updateExistingWorkloads to false/,
        )
    })

  it('is unhealthy delays restarts once, even if the tenant marks more Deployments as restarted just now', async () => {
    const world = await cluster()
    const more = ['two', 'three', 'four', 'five'].map((name) => {
      world.workload('Deployment', name, { labels: labels(), namespace: 'a' })
      return `Deployment/a/${name}`
    })
    await world.runFor(10_000)
    const { change } = await restartsStarted(world)
    for (const one of [VICTIM, ...more]) world.broken.add(one)
    for (const [i, one] of more.entries())
      world.clock.after((i + 1) * (DEADLINE - 5_000), () => say(world, change, '9999-01-01T00:00:00Z', one))
    await world.runFor(2 * DEADLINE)
    expect(OTHERS.map((other) => restartsOf(world, other))).to.deep.equal([1, 1])
  })

  for (const code of ['CONFLICT', 'REFUSED'] as const)
    it(`refuses its restart with ${code} does not hold up the restarts in other namespaces`, async () => {
      const world = await cluster()
      const { session } = world.manager!
      const patch = session.patchWorkload.bind(session)
      let tries = 0
      session.patchWorkload = async (workload, operations) => {
        if (workload.metadata.namespace !== 'a') return patch(workload, operations)
        tries++
        throw new PortError(code, 'it has changed meanwhile')
      }
      const { key } = await restartsStarted(world)
      await world.runUntil(() => OTHERS.every((other) => restartsOf(world, other) === 1))
      expect(tries).to.be.at.most(2)
      await world.runFor(DEADLINE)
      session.patchWorkload = patch
      await done(world, key)
      expect(restartsOf(world, VICTIM)).to.equal(1)
    })

  it('is unhealthy delays the next manager only for the rest of the stored deadline', async () => {
    const world = await cluster()
    const { key } = await restartsStarted(world)
    world.broken.add(VICTIM)
    await world.runUntil(() => restartsOf(world, VICTIM) === 1)
    const { at } = world.restarts[0]!
    await world.runFor(DEADLINE - 20_000)
    world.crashManager()
    world.startManager()
    await world.runUntil(() => restartsOf(world, OTHERS[0]!) === 1)
    expect(world.restarts.map(({ workload }) => workload)).to.deep.equal([VICTIM, OTHERS[0]])
    expect(world.restarts[1]!.at - at).to.be.within(DEADLINE, DEADLINE + 5_000)
    world.repair(VICTIM)
    await done(world, key)
  })
})
