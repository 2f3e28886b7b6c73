import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import Bottleneck from 'bottleneck'
import { printSteps } from './steps.ts'

/** Receives printed text. */
export type Print = (text: string) => void

/** A group of tests that does not depend on other groups of the run. */
export interface Job {
  name: string
  /** Approximate duration in seconds; long jobs start first. */
  seconds: number
  /** Number of places that the job takes; default 1. A number above the available places means all places. */
  places?: number
  /** @returns whether all tests passed */
  run(print: Print): Promise<boolean>
}

const root = join(import.meta.dirname, '..', '..')
const betweenLines = 30_000
/** Milliseconds after the run's time until running jobs are killed, so that the run can still print its summary. */
const longGrace = 300_000

/**
 * Variable with the time at which the whole run should end, in milliseconds since 1970. Without it the run has no time
 * limit.
 */
export const untilVariable = 'VARMOR_TESTS_UNTIL'

/** The ratio of actual to expected duration of the jobs on this machine. */
export class Pace {
  #taken = 0
  #expected = 0

  /** @param milliseconds actual duration of the job */
  note({ seconds }: Pick<Job, 'seconds'>, milliseconds: number): void {
    this.#taken += milliseconds
    this.#expected += seconds * 1000
  }

  /** Expected milliseconds of a job. A machine that was faster than expected does not shorten the expectation. */
  expects({ seconds }: Pick<Job, 'seconds'>): number {
    const factor = this.#expected === 0 ? 1 : Math.max(1, this.#taken / this.#expected)
    return seconds * 1000 * factor
  }
}

/** Prints a skipped job in mocha's form, so that programs that count mocha's summaries count it. */
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
 * Runs jobs in `places` places: first the jobs with the fewest places side by side, the longest of these first. The
 * output of a job is printed as a whole when it ends, or at once if the job takes all places. The durations of all jobs
 * follow at the end, the longest first. A job that would not end in time at this machine's speed is skipped by name.
 * Jobs that still run after `until` and `grace` fail, and the process ends.
 * @param until milliseconds since 1970
 * @param grace milliseconds after `until`
 * @returns whether all jobs passed
 */
export async function sideBySide(
  jobs: readonly Job[],
  places: number,
  until = givenUntil(),
  grace = longGrace,
): Promise<boolean> {
  const limiter = new Bottleneck({ maxConcurrent: places })
  const placesOf = (job: Job): number => Math.min(job.places ?? 1, places)
  const running = new Map<string, Output>()
  const pace = new Pace()
  const times: [name: string, milliseconds: number][] = []
  const timer = setInterval(() => {
    console.log(
      `  ${elapsed()}: ${times.length} of ${jobs.length} have ended; at work: ${[...running.keys()].join(', ')}`,
    )
  }, betweenLines)
  const end = (): void => {
    for (const [name, output] of running) fail(name, output)
    process.exit(1)
  }
  const killer = Number.isFinite(until) ? setTimeout(end, until + grace - Date.now()) : undefined
  const timed = async (job: Job): Promise<boolean> => {
    const late = Math.ceil((Date.now() + pace.expects(job) - until) / 1000)
    if (late > 0)
      return skip(`${job.name} skipped: it would end ${late} s after the time that this run has`, console.log)
    const output = new Output(placesOf(job) === places)
    running.set(job.name, output)
    const start = performance.now()
    try {
      return await output.of(job)
    } finally {
      running.delete(job.name)
      times.push([job.name, performance.now() - start])
      pace.note(job, performance.now() - start)
    }
  }
  const inOrder = [...jobs].sort((one, other) => placesOf(one) - placesOf(other) || other.seconds - one.seconds)
  const passed = await Promise.all(
    inOrder.map((job) => limiter.schedule({ weight: placesOf(job) }, () => timed(job))),
  ).finally(() => {
    clearInterval(timer)
    clearTimeout(killer)
  })
  console.log('\n  the slowest:')
  for (const [name, time] of times.sort(([, one], [, other]) => other - one).slice(0, 10)) printSteps(name, time)
  return passed.every(Boolean)
}

/** What a job prints: at once if it runs alone, else when it ends. */
class Output {
  readonly #alone: boolean
  #text = ''

  constructor(alone: boolean) {
    this.#alone = alone
  }

  async of(job: Job): Promise<boolean> {
    if (this.#alone) process.stdout.write(`\n== ${job.name}\n`)
    try {
      return await job.run((text) => {
        if (this.#alone) process.stdout.write(text)
        else this.#text += text
      })
    } finally {
      this.end(`${job.name}, ended`)
    }
  }

  /** @param what the job, and what happened to it */
  end(what: string): void {
    if (!this.#alone) process.stdout.write(`\n== ${what} at ${elapsed()}\n${this.#text}`)
  }
}

/** Reports a job that was killed, as a failure in mocha's form. */
function fail(name: string, output: Output): void {
  output.end(`${name}, killed`)
  const why = 'it still ran after the time that this run has'
  process.stdout.write(`\n\n  0 passing\n  1 failing\n\n  1) ${name}:\n     ${why}\n\n`)
}

/**
 * Runs mocha in a separate process.
 * @returns whether all tests passed
 */
export async function runMocha(args: readonly string[], print: Print, env = process.env): Promise<boolean> {
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js')
  const child = spawn(process.execPath, ['--import', 'tsx', mocha, ...args], {
    cwd: root,
    stdio: ['inherit', 'pipe', 'pipe'],
    env,
  })
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', print)
  const [status] = await once(child, 'close')
  process.off('exit', kill)
  return status === 0
}
