import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { nodeArguments } from '../run/as-run.ts'
import { EmbeddedTarget } from './embedded-target.ts'
import { killManagers } from './kills.ts'
import { renewCertificates } from './renewal.ts'
import { World } from './world.ts'

/** Tests that take long, by what they show. They share their manager with no other test. */
export const longTests = {
  'ends the same wherever a manager is killed: everything in its place, and each workload restarted once a change':
    killManagers,
  'renews authority and certificate without a moment in which nobody trusts it': renewCertificates,
}
export type LongTest = keyof typeof longTests

/**
 * Runs one of them in a process with an embedded server of its own, so that it does not wait for the others.
 * @throws what went wrong there
 */
export async function runElsewhere(title: LongTest): Promise<void> {
  const child = spawn(process.execPath, [...nodeArguments('./long-tests.ts', import.meta.url), title], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the process ended with ${code}:\n${complaints}`)
}

async function main(title: LongTest): Promise<void> {
  const target = await EmbeddedTarget.start()
  const world = await World.start(target, 3)
  await world.leading()
  await longTests[title](world)
  await world.stop()
  await target.stop()
  // Nobody waits for the timers of killed managers.
  process.exit(0)
}

if (process.argv[1] === import.meta.filename) await main(process.argv[2] as LongTest)
