import { admission } from './admission.ts'
import { concurrently } from './concurrent.ts'
import { faults } from './faults.ts'
import { killManagers } from './kills.ts'
import { comingAndGoing, lifecycle } from './lifecycle.ts'
import { modelling } from './modelling.ts'
import { renewCertificates } from './renewal.ts'
import { restarts } from './restarts.ts'
import type { Target } from './target.ts'
import { World } from './world.ts'

export type Part = (world: () => World, target: Target) => void

/** Tests vArmor's promises to users, from kubectl to the nodes. The suite runs unchanged on every target. */
export const parts = {
  policies: (world) => {
    concurrently('policies, pods and restarts', (it) => {
      lifecycle(it, world)
      admission(it, world)
      restarts(it, world)
    })
    describe('nodes', () => comingAndGoing(world))
  },
  modelling: (world) => describe('behaviour', () => modelling(world)),
  faults: (world, target) => describe('faults', () => faults(world, target)),
  kills: (world) =>
    it('ends the same wherever a manager is killed: everything in its place, and each workload restarted once a change', () =>
      killManagers(world())),
  renewal: (world) =>
    it('renews authority and certificate, and clients trust the certificate at all times', () =>
      renewCertificates(world())),
} satisfies Record<string, Part>

/** Call this inside a `describe`. The parts share a manager and three nodes. */
export function controlPlaneSuite(target: Target, ...suite: Part[]): void {
  let world: World
  before(async () => {
    world = await World.start(target(), 3)
    await world.leading()
  })
  after(async () => {
    await world?.stop()
  })
  for (const part of suite) part(() => world, target)
}
