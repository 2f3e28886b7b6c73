import { admission } from './admission.ts'
import { concurrently } from './concurrent.ts'
import { faults } from './faults.ts'
import { comingAndGoing, lifecycle } from './lifecycle.ts'
import { type LongTest, longTests } from './long-tests.ts'
import { restarts } from './restarts.ts'
import type { Target } from './target.ts'
import { World } from './world.ts'

/**
 * What a user of vArmor can rely on, from kubectl to the nodes. To be called inside a `describe`; runs unchanged on every target.
 * @param elsewhere runs a long test on a target of its own, while the other tests run here
 */
export function controlPlaneSuite(target: Target, elsewhere?: (title: LongTest) => Promise<void>): void {
  let world: World
  const titles = Object.keys(longTests) as LongTest[]
  const running = new Map<LongTest, Promise<unknown>>()
  before(async () => {
    if (elsewhere !== undefined)
      for (const title of titles)
        running.set(
          title,
          elsewhere(title).catch((error: unknown) => error),
        )
    world = await World.start(target(), 3)
    await world.leading()
  })
  after(async () => {
    await world?.stop()
  })
  const get = (): World => world
  concurrently('policies, pods and restarts', (it) => {
    lifecycle(it, get)
    admission(it, get)
    restarts(it, get)
  })
  describe('nodes', () => comingAndGoing(get))
  describe('faults', () => {
    faults(get, target)
    for (const title of titles)
      it(title, async () => {
        if (elsewhere === undefined) return longTests[title](world)
        const error = await running.get(title)
        if (error !== undefined) throw error
      })
  })
}
