import { expect } from 'chai'
import { type Random, seededRandom } from '../../src/base/random.ts'
import { Life } from './life.ts'
import type { World } from './world.ts'

const points = 20

/**
 * Kills one manager after another, each at another step of the policies' changes. All policies complete their changes.
 */
export async function killManagers(world: World): Promise<void> {
  await world.stopManager()
  let killed = 0
  const random: Random = seededRandom(20)
  const lives = async (): Promise<void> => {
    while (killed < points) await (await Life.begin(world)).live()
  }
  const living = Promise.all(Array.from({ length: 4 }, lives))
  let isOver = false
  const over = (): void => {
    isOver = true
  }
  living.then(over, over)
  while (killed < points && !isOver) {
    const death = { write: 1 + Math.floor(random() * 8), moment: random() < 0.5 ? 'before' : 'after' } as const
    const { connection } = await world.startManager({}, death)
    await Promise.race([connection.died, living.catch(() => undefined)])
    if (!connection.isDead) break
    killed++
    await world.killManager()
  }
  await world.stopManager()
  await world.startManager()
  await living
  expect(killed).to.equal(points)
}
