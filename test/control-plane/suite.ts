import { admission } from './admission.ts'
import { concurrently } from './concurrent.ts'
import { faults } from './faults.ts'
import { killManagers } from './kills.ts'
import { comingAndGoing, lifecycle } from './lifecycle.ts'
import { restarts } from './restarts.ts'
import type { Target } from './target.ts'
import { World } from './world.ts'

/**
 * What a user of vArmor can rely on, from kubectl to the nodes. To be called inside a `describe`; runs unchanged on every target.
 * `killsElsewhere` kills managers on a target of its own, while the other tests run.
 */
export function controlPlaneSuite(target: Target, killsElsewhere?: () => Promise<void>): void {
  let world: World
  let killsOver: Promise<Error | undefined> | undefined
  before(async function () {
    this.timeout(60_000)
    killsOver = killsElsewhere?.().then(
      () => undefined,
      (error: Error) => error,
    )
    world = await World.start(target(), 3)
    await world.leading()
  })
  after(async function () {
    this.timeout(60_000)
    await world?.stop()
  })
  const get = (): World => world
  const kills = async (): Promise<void> => {
    if (killsOver === undefined) return killManagers(world)
    const error = await killsOver
    if (error !== undefined) throw error
  }
  concurrently('policies, pods and restarts', (it) => {
    lifecycle(it, get)
    admission(it, get)
    restarts(it, get)
  })
  describe('nodes', () => comingAndGoing(get))
  describe('faults', function () {
    this.timeout(200_000)
    faults(get, target, kills)
  })
}
