import { createInterface } from 'node:readline'
import type { Print } from '../cluster/jobs.ts'
import { type StepLog, stepLine } from '../cluster/steps.ts'
import { Guest } from './guest/guest.ts'
import type { GuestProcess } from './guest/guest-process.ts'
import type { KernelName } from './guest/kernels.ts'
import { onceMoreAfterEmulation } from './guest/once-more.ts'
import { runcDisk } from './guest/program-disks.ts'
import type { SuiteGroup } from './suite-groups.ts'
import { type InGuestOptions, readEvent, type TestEvent } from './test-events.ts'

/** Tracks the running test of a guest by the guest's events. */
class Progress {
  running: string | undefined
  #seen: Record<TestEvent['kind'], number> = { start: 0, pass: 0, fail: 0, pending: 0, done: 0 }

  take({ kind, title }: TestEvent): void {
    this.#seen[kind] += 1
    this.running = kind === 'start' ? title : undefined
  }

  get done(): boolean {
    return this.#seen.done > 0
  }

  /** A summary in mocha's form, for a mocha that could not print it. The guest's end counts as one failure. */
  summary(why: string): string {
    const during = this.running === undefined ? '' : ` during "${this.running}"`
    const { pass, fail, pending } = this.#seen
    const counts = [`  ${pass} passing`, ...(pending > 0 ? [`  ${pending} pending`] : []), `  ${fail + 1} failing`]
    const indented = why.trimEnd().replaceAll('\n', '\n     ')
    return `\n\n${counts.join('\n')}\n\n  1) the guest ended${during}:\n     ${indented}\n`
  }
}

/** Separates the guest's output: events go to `progress`, the rest goes to `print`. */
function follow(tests: GuestProcess, progress: Progress, print: Print): Promise<unknown> {
  tests.stdout.setEncoding('utf8').on('data', print)
  const lines = createInterface({ input: tests.stderr })
  lines.on('line', (line) => {
    const event = readEvent(line)
    if (event === undefined) print(`${line}\n`)
    else progress.take(event)
  })
  return new Promise((resolve) => lines.once('close', resolve))
}

/** The failure of a guest that ended before its tests ended. */
class EarlyEnd extends Error {
  readonly progress: Progress

  constructor(why: Error, progress: Progress) {
    super(why.message, { cause: why })
    this.progress = progress
  }
}

/** Variables that make a test do more than its default. */
const settings = (): Record<string, string> => {
  const given = Object.entries(process.env).filter(([name]) => /^VARMOR_(?:EVASIONS|HOSTILE|RULES|SERVICES)/.test(name))
  return Object.fromEntries(given) as Record<string, string>
}

interface SuiteRun {
  kernel: KernelName
  group: SuiteGroup
  grep: string | undefined
  print: Print
}

/** @throws {EarlyEnd} */
async function runOnce({ kernel, group, grep, print }: SuiteRun): Promise<boolean> {
  const steps: StepLog = (...step) => print(`${stepLine(...step)}\n`)
  const runc = await runcDisk(steps, (text) => print(`${text}\n`))
  const guest = await Guest.boot({ kernel, ...group.wishes, ...(runc && { disks: [runc] }), steps })
  print(`\nkernel ${guest.release}, ${group.name}\n`)
  const progress = new Progress()
  try {
    const options: InGuestOptions = { color: process.stdout.isTTY === true, ...(grep === undefined ? {} : { grep }) }
    const files = group.files.map((file) => `/varmor/test/kernel/suite/${file.replace(/\.ts$/, '.js')}`)
    const command = ['node', '/varmor/test/kernel/in-guest.js', JSON.stringify(options), ...files]
    const tests = guest.spawn(command, { cwd: '/varmor', env: settings() })
    tests.stdin.end()
    await follow(tests, progress, print)
    const exit = await Promise.race([tests.exited.catch((error: Error) => error), guest.ended])
    if (progress.done && exit !== undefined && 'code' in exit) return exit.code === 0
    const why = (await Promise.race([guest.ended, undefined])) ?? exit
    throw new EarlyEnd(why instanceof Error ? why : new Error(`exit status ${why?.code} before the end`), progress)
  } finally {
    await guest.stop()
  }
}

/**
 * Boots a guest and runs a group of tests in it.
 * @returns whether all tests passed
 * @throws {NotAvailable} if the kernel is not available here
 */
export async function runSuite(run: SuiteRun): Promise<boolean> {
  const { print } = run
  try {
    return await onceMoreAfterEmulation(
      'these tests are run',
      () => runOnce(run),
      (text) => print(`\n${text}\n`),
    )
  } catch (error) {
    if (!(error instanceof EarlyEnd)) throw error
    print(error.progress.summary(error.message))
    return false
  }
}
