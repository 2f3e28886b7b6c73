import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import PQueue from 'p-queue'
import { printSteps } from './steps.ts'

/** Takes text that was printed. */
export type Print = (text: string) => void

/** Tests that need nothing of other tests of the run. */
export interface Job {
  name: string
  /** About how long it takes, so that the long ones begin first. */
  seconds: number
  /** @returns whether all have passed */
  run(print: Print): Promise<boolean>
}

const root = join(import.meta.dirname, '..', '..')
const betweenLines = 30_000

const elapsed = (): string => `${Math.round(performance.now() / 1000)} s`

/**
 * Does jobs, so many at a time. What each prints comes in one piece when it ends, or at once where there is one at a time. At
 * the end come their times, the longest first.
 * @returns whether all have passed
 */
export async function sideBySide(jobs: readonly Job[], atOnce: number): Promise<boolean> {
  const queue = new PQueue({ concurrency: atOnce })
  const running = new Set<string>()
  const times: [name: string, milliseconds: number][] = []
  const timer = setInterval(() => {
    console.log(`  ${elapsed()}: ${times.length} of ${jobs.length} have ended; at work: ${[...running].join(', ')}`)
  }, betweenLines)
  const timed = async (job: Job): Promise<boolean> => {
    running.add(job.name)
    const start = performance.now()
    try {
      return await printed(job, atOnce)
    } finally {
      running.delete(job.name)
      times.push([job.name, performance.now() - start])
    }
  }
  const longestFirst = [...jobs].sort((one, other) => other.seconds - one.seconds)
  const passed = await queue.addAll(longestFirst.map((job) => () => timed(job))).finally(() => clearInterval(timer))
  console.log('\n  the slowest:')
  for (const [name, time] of times.sort(([, one], [, other]) => other - one).slice(0, 10)) printSteps(name, time)
  return passed.every(Boolean)
}

async function printed(job: Job, atOnce: number): Promise<boolean> {
  if (atOnce === 1) return job.run((text) => process.stdout.write(text))
  let text = ''
  try {
    return await job.run((more) => {
      text += more
    })
  } finally {
    process.stdout.write(`\n== ${job.name}, ended at ${elapsed()}\n${text}`)
  }
}

/** Runs mocha in a process of its own. @returns whether all have passed */
export async function runMocha(args: readonly string[], print: Print, env = process.env): Promise<boolean> {
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js')
  const child = spawn(process.execPath, ['--import', 'tsx', mocha, ...args], {
    cwd: root,
    stdio: ['inherit', 'pipe', 'pipe'],
    env,
  })
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', print)
  const [status] = await once(child, 'close')
  return status === 0
}
