import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import Bottleneck from 'bottleneck'
import { printSteps } from './steps.ts'

/** Takes text that was printed. */
export type Print = (text: string) => void

/** Tests that need nothing of other tests of the run. */
export interface Job {
  name: string
  /** About how long it takes, so that the long ones begin first. */
  seconds: number
  /** How many of the places that there are at a time; 1 by default. More than there are is all of them. */
  places?: number
  /** @returns whether all have passed */
  run(print: Print): Promise<boolean>
}

const root = join(import.meta.dirname, '..', '..')
const betweenLines = 30_000

/** Milliseconds since 1970: when the run as a whole should be over. Without it there is no such time. */
export const untilVariable = 'VARMOR_TESTS_UNTIL'

/** How long jobs take here, beside what they are thought to take. */
export class Pace {
  #taken = 0
  #expected = 0

  /** @param milliseconds so long, so far */
  note({ seconds }: Pick<Job, 'seconds'>, milliseconds: number): void {
    this.#taken += milliseconds
    this.#expected += seconds * 1000
  }

  /** Milliseconds for a job. A machine that is faster than thought is not relied upon. */
  expects({ seconds }: Pick<Job, 'seconds'>): number {
    const factor = this.#expected === 0 ? 1 : Math.max(1, this.#taken / this.#expected)
    return seconds * 1000 * factor
  }
}

/** In the form that mocha has, so that who counts its summaries counts this. */
export function skip(what: string, print: Print): boolean {
  print(`\n  - ${what}\n\n  0 passing\n  1 pending\n\n`)
  return true
}

function givenUntil(text = process.env[untilVariable]): number {
  if (text === undefined || text === '') return Number.POSITIVE_INFINITY
  if (!/^\d{13}$/.test(text)) throw new Error(`${untilVariable} must be milliseconds since 1970, not ${text}`)
  return Number(text)
}

const elapsed = (): string => `${Math.round(performance.now() / 1000)} s`

/**
 * Does jobs in so many places: first those that take the fewest, side by side, the longest of them first. What each
 * prints comes in one piece when it ends, or at once where it takes all places. At the end come their times, the
 * longest first. One that would not end in time, as fast as this machine is, is skipped by name.
 * @param until milliseconds since 1970
 * @returns whether all have passed
 */
export async function sideBySide(jobs: readonly Job[], places: number, until = givenUntil()): Promise<boolean> {
  const limiter = new Bottleneck({ maxConcurrent: places })
  const placesOf = (job: Job): number => Math.min(job.places ?? 1, places)
  const running = new Set<string>()
  const pace = new Pace()
  const times: [name: string, milliseconds: number][] = []
  const timer = setInterval(() => {
    console.log(`  ${elapsed()}: ${times.length} of ${jobs.length} have ended; at work: ${[...running].join(', ')}`)
  }, betweenLines)
  const timed = async (job: Job): Promise<boolean> => {
    const late = Math.ceil((Date.now() + pace.expects(job) - until) / 1000)
    if (late > 0)
      return skip(`${job.name} skipped: it would end ${late} s after the time that this run has`, console.log)
    running.add(job.name)
    const start = performance.now()
    try {
      return await printed(job, placesOf(job) === places)
    } finally {
      running.delete(job.name)
      times.push([job.name, performance.now() - start])
      pace.note(job, performance.now() - start)
    }
  }
  const inOrder = [...jobs].sort((one, other) => placesOf(one) - placesOf(other) || other.seconds - one.seconds)
  const passed = await Promise.all(
    inOrder.map((job) => limiter.schedule({ weight: placesOf(job) }, () => timed(job))),
  ).finally(() => clearInterval(timer))
  console.log('\n  the slowest:')
  for (const [name, time] of times.sort(([, one], [, other]) => other - one).slice(0, 10)) printSteps(name, time)
  return passed.every(Boolean)
}

async function printed(job: Job, alone: boolean): Promise<boolean> {
  if (alone) {
    process.stdout.write(`\n== ${job.name}\n`)
    return job.run((text) => process.stdout.write(text))
  }
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
