import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { type Random, seededRandom } from '../../actors/runtime/index.ts'
import { EmbeddedTarget } from './embedded-target.ts'
import { Life } from './life.ts'
import { World } from './world.ts'

const points = 50

/** Kills one manager after the other, each at another point of what policies go through; all of them get through it. */
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

/** Does so in a process with an embedded server of its own, beside what this process does. @throws what went wrong there */
export async function killManagersElsewhere(): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', import.meta.filename], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`killing managers ended with ${code}:\n${complaints}`)
}

async function main(): Promise<void> {
  const target = await EmbeddedTarget.start()
  const world = await World.start(target, 3)
  await world.leading()
  await killManagers(world)
  await world.stop()
  await target.stop()
  // Nobody waits for the timers of killed managers.
  process.exit(0)
}

if (process.argv[1] === import.meta.filename) await main()
